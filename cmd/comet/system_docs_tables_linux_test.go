//go:build system

package main

import (
	"regexp"
	"testing"
)

// A docsPage is what a page needs that its reader has.
type docsPage struct {
	clone   bool // the reader stands in a clone
	host    bool // there are the servers called HOST and web1
	apart   bool // its experiments need nothing of each other
	given   []docsGiven
	environ []string
	nginx   string   // more servers of HOST's nginx
	needs   []string // programs
}

// docsGiven is what was done before where a command has this in it, such as a file that
// the reader has.
type docsGiven struct{ where, command string }

// alone are the commands that take a machine of their own.
var alone = regexp.MustCompile(`^comet (bench|capacity) |^ssh |^go test `)

const secret = "echo user:secret-of-the-router > router.secret"

var docsPages = map[string]docsPage{
	"README.md": {clone: true, host: true, apart: true, given: []docsGiven{
		{"--agents", "comet router --listen 127.0.0.2:4222"},
		{"--agents", "comet agent --router nats://HOST"},
		{"OLD", "comet bench -r none -c 10 -q -o OLD && cp -r OLD NEW"},
	}},
	"capacity.md":   {host: true, apart: true},
	"compare.md":    {given: []docsGiven{{"main", "comet bench -q -c 5k -d 20s -o main"}}, environ: []string{"GITHUB_STEP_SUMMARY=summary.md"}},
	"exit-codes.md": {host: true},
	"friends.md": {environ: []string{"COMET_ROUTER_CREDENTIALS=user:secret"}, given: []docsGiven{
		{"web-1.db", "comet subscriptions generate web-1.db --users 100 --mean 5 --seed 1"},
		{"nats://", "comet router --listen 10.0.0.1:4222"},
	}},
	"hosts.md": {host: true, needs: []string{"openssl"}},
	"install.md": {clone: true, needs: []string{"man"}, given: []docsGiven{
		{"sudo cp comet", "go build -o comet ./cmd/comet"},
		{"/etc/comet", "cp -a /etc ../etc && mkdir -p ../etc/comet && mount --bind ../etc /etc"},
		{"${fpath[1]}", "fpath=(- $HOME/zsh); mkdir $HOME/zsh"},
	}},
	"ci.md": {given: []docsGiven{
		{"baseline", "comet serve --listen 127.0.0.1:8000 --admin 127.0.0.1:8001"},
		{"baseline", "comet bench --match 'comet serve' --url 'http://127.0.0.1:8000/test/{id}' --publish 'http://127.0.0.1:8001/send/{id}' -c 2k -r 500 -d 20s --repeat 3 -o baseline"},
	}},
	"leak.md":          {host: true},
	"kernel.md":        {given: []docsGiven{{"4711", "comet serve --listen 127.0.0.2:8000 --admin 127.0.0.2:8001"}}},
	"library.md":       {clone: true},
	"many-machines.md": {given: []docsGiven{{"router.secret", secret}}},
	"presets.md": {host: true, apart: true, given: []docsGiven{
		{"chat.yaml", "comet config flood ws://HOST/chat --first-message 'hello {id}' --first-message 'welcome*=>join {id}' --ready 'joined*' > chat.yaml"},
	}},
	"real-clients.md": {host: true, apart: true, given: []docsGiven{{"127.0.0.1:8000", "comet serve"}}},
	"rooms.md":        {host: true, apart: true, given: []docsGiven{{"127.0.0.1:8000", "comet serve"}}},
	"server.md": {clone: true, given: []docsGiven{
		{"GET  /test", "comet router --listen 127.0.0.1:4222"},
		{"GET  /test", `printf '1\t1\n' > edges.tsv; comet subscriptions import edges.tsv friends.db`},
		{"GET  /test", "comet serve --router nats://127.0.0.1:4222 --subscriptions friends.db"},
	}},
	"tls.md": {needs: []string{"openssl"}, clone: true, host: true, given: []docsGiven{
		{"client.pem", `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=push -addext subjectAltName=DNS:push.example.org -keyout client.key -out client.pem && cp client.pem ca.pem`},
	}, nginx: `server {
		listen 127.0.0.2:443 ssl; ssl_certificate FOLDER/clone/client.pem; ssl_certificate_key FOLDER/clone/client.key;
		ssl_client_certificate FOLDER/clone/ca.pem; ssl_verify_client on;
		location ~ ^/pub/(\d+)$ { proxy_set_header Host 127.0.0.7; proxy_set_header Connection ""; proxy_pass http://messages/send/$1; }
	}`},
	"tokens.md": {needs: []string{"openssl"}, given: []docsGiven{
		{"friends.db", `printf '1\t7\n2\t7\n' > edges.tsv; comet subscriptions import edges.tsv friends.db`},
		{"admin.token", "echo token-of-the-admin > admin.token; TOKEN=$(cat admin.token)"},
	}},
	"two-million.md": {apart: true},
	"users.md":       {host: true, environ: []string{"COMET_RATE=100"}}, // each message goes to half of the connections
	"watching.md": {given: []docsGiven{
		{"127.0.0.1:8000", "comet serve"},
		{"token.txt", "echo token-of-the-page > token.txt"},
	}},
}

// docsEnviron are the figures of commands that do not say them.
var docsEnviron = []string{"COMET_CONNECTIONS=100", "COMET_DURATION=2s", "COMET_IDLE=1s"}

// docsScale replaces one thing in a command.
type docsScale struct {
	from *regexp.Regexp
	to   string
}

// docsScaled are the figures and names in commands that are others here. Flags stay. What
// CI builds or measures elsewhere is only looked at: -n, --dry-run and -list.
var docsScaled = func() (all []docsScale) {
	for _, s := range [][2]string{
		{`(-c|Connections:) ?(\d+(?:\.\d+)?[kM]|\d{3,})\b`, "$1 100"},
		{`-d \d+[smhd]\b`, "-d 2s"},
		{`10 \* time.Second`, "1 * time.Second"},
		{`(-r|--rate) \d+k?\b`, "$1 100"},
		{`--count 1000000`, "--count 10"},
		{`--steps \S+`, "--steps 20,40"},
		{`--repeat \d+`, "--repeat 1"},
		{`--subscribers (10k|100)\b`, "--subscribers 20"},
		{`users=\d+k,mean=\d+`, "users=2k,mean=10"},
		{`--ramp \S+`, "--ramp 20:300ms,100:300ms"},
		{`--storm 2s`, "--storm 300ms"},
		{`--reconnect min=\ds`, "--reconnect min=200ms"},
		{`--publish …`, "--publish 'http://HOST/pub/{id}'"},
		{`--url …`, "--url 'http://HOST/sub/{id}' --publish 'http://HOST/pub/{id}'"},
		{`--pid 4711`, "--pid $(pgrep -o -f 'comet serve')"},
		{`^((?:CGO_ENABLED=0 )?go build) -trimpath`, "$1 -n -trimpath"},
		{`--slo 'p99<50ms' --slo loss=0 --fail-if`, "--slo 'p99<1us' --slo loss=0 --fail-if"}, // so that it is missed
		{`^go run ./cmd/comet bench$`, "COMET_CONNECTIONS=10k $0"},                            // fewer grow no memory to speak of, and a collection frees more
		{`comet capacity`, "env -u COMET_CONNECTIONS comet capacity --hold 1s --budget 15s --to 150"},
		{`--from \w+ --to \w+ --hold \w+ --budget \w+`, "--from 50"},
		{`make floor`, "make --dry-run floor"},
		{`-bench TLSAtRest -benchtime 1x`, "-list TLSAtRest | grep TLSAtRest"},
	} {
		all = append(all, docsScale{regexp.MustCompile(s[0]), s[1]})
	}
	return all
}()

// docsTerminals are the commands that go on until they are ended, what they print once they
// are ready, whether another one takes the place of the last, and the names of several.
var docsTerminals = []struct {
	command *regexp.Regexp
	ready   string
	one     bool
	names   []string
}{
	{regexp.MustCompile(`^comet serve`), `(?m)^streams on`, true, nil},
	{regexp.MustCompile(`^comet router`), `(?m)^router on nats`, true, nil},
	{regexp.MustCompile(`^comet agent .*--name`), `waiting for work`, false, nil},
	{regexp.MustCompile(`^comet agent`), `waiting for work`, false, []string{"web1", "web2", "web3", "web4"}},
	{regexp.MustCompile(`^curl -N `), ``, false, nil},
}

// docsCodes are the exit codes besides 0 that the pages name.
var docsCodes = []struct {
	command *regexp.Regexp
	codes   []string
}{
	// A target that is missed, as it may be on a busy machine.
	{regexp.MustCompile(`--slo|--fail-if`), []string{"3"}},
	// The first step may fail there.
	{regexp.MustCompile(`comet capacity`), []string{"3"}},
	// Two seconds are too short to tell.
	{regexp.MustCompile(`^comet plot --growth`), []string{"1"}},
	// Limits of this machine are short.
	{regexp.MustCompile(`^comet sysctl`), []string{"3"}},
}

// docsListed are the commands that do not run here, and the output of such.
var docsListed = []struct {
	what *regexp.Regexp
	why  string
}{
	{regexp.MustCompile(`^docker `), "there is no Docker: TestSystemImage does the steps of the Dockerfile"},
	{regexp.MustCompile(`^comet (COMMAND|router --tls-cert FILE)`), "a form of commands, not one"},
	{regexp.MustCompile(`worker_connections x worker_processes`), "nginx with such a limit is searched by TestSystemCapacity"},
	{regexp.MustCompile(`^comet: 1 connections failed with "status"`), "TestUsersExitCode refuses one user and compares the line"},
	{regexp.MustCompile(`^io\.on\('connection'`), "TestSystemPresetNode runs a server with such lines"},
	{regexp.MustCompile(`^go test \./\.\.\.`), "CI does it before this test"},
}

// docsPrograms are stand-ins for programs, in the shell.
var docsPrograms = map[string]string{
	"ssh":  `shift; unset COMET_DURATION; exec "$@"`,
	"sudo": `exec "$@"`,
	// The units are enabled in a root of their own, where nothing is started.
	// Without systemd they are only looked for.
	"systemctl": `command=$1; shift; [ "$1" = --now ] && shift
		if [ ! -x /usr/bin/systemctl ]; then
			for unit; do ls ".dist/systemd/$(echo "$unit" | sed 's/@.*/@/').service" || exit; done
			exit 0
		fi
		root=$HOME/root; mkdir -p "$root/etc" "$root/usr/lib/systemd" && cp -r .dist/systemd "$root/usr/lib/systemd/system" || exit
		exec /usr/bin/systemctl --root="$root" "$command" "$@"`,
}

// docsNginx is before a comet server, whose ids are numbers, and the stand-in.
const docsNginx = `daemon off; pid FOLDER/nginx.pid; error_log FOLDER/error.log; worker_processes 1; user root;
events { worker_connections 4096; }
http {
	access_log off; client_body_temp_path FOLDER; proxy_temp_path FOLDER; fastcgi_temp_path FOLDER; uwsgi_temp_path FOLDER; scgi_temp_path FOLDER;
	map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
	proxy_http_version 1.1; proxy_buffering off;
	proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
	upstream messages { server 127.0.0.7:7001; keepalive 32; }
	server {
		listen 127.0.0.2:80; listen 127.0.0.1:8080; listen 127.0.0.2:8080;
		location ~ ^/(sub|stream)/(\d+)$ { proxy_pass http://127.0.0.7:7000/test/$2; }
		location ~ ^/(events|poll|ws)/\d+$ { proxy_pass http://127.0.0.7:7000; }
		location ~ ^/pub/(\d+)$ { proxy_set_header Host 127.0.0.7; proxy_set_header Connection ""; proxy_pass http://messages/send/$1; }
		location / { proxy_pass http://127.0.0.8:7000; }
	}
	MORE
}
`

// checkTables reports the entries of the tables that no page needs any more.
func checkTables(t *testing.T, steps []shownStep) {
	t.Helper()
	needed := func(what *regexp.Regexp) bool {
		for _, s := range steps {
			if what.MatchString(s.text) {
				return true
			}
		}
		return false
	}
	for _, e := range docsListed {
		if !needed(e.what) {
			t.Errorf("docsListed: no page has %s", e.what)
		}
	}
	for _, e := range docsScaled {
		if !needed(e.from) {
			t.Errorf("docsScaled: no page has %s", e.from)
		}
	}
	for _, e := range docsTerminals {
		if !needed(e.command) {
			t.Errorf("docsTerminals: no page has %s", e.command)
		}
	}
	for _, e := range docsCodes {
		if !needed(e.command) {
			t.Errorf("docsCodes: no page has %s", e.command)
		}
	}
}
