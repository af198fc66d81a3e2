package flags

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// field is where the value of a flag goes.
type field[T any] struct {
	args string
	get  func(*T) any
	want string
}

// TestFields: each flag writes its own field. A round trip would not notice two
// that are exchanged.
func TestFields(t *testing.T) {
	checkFields(t, "flood", []field[FloodCommand]{
		{"--url http://h/", func(c *FloodCommand) any { return c.Config.URL }, "http://h/"},
		{"--urls u", func(c *FloodCommand) any { return c.URLFile }, "u"},
		{"--ids 5-6k", func(c *FloodCommand) any { return []int64{c.Config.FirstID, c.Config.LastID} }, "[5 6000]"},
		{"--ids 7", func(c *FloodCommand) any { return []int64{c.Config.FirstID, c.Config.LastID} }, "[7 7]"},
		{"--ids 0-1", func(c *FloodCommand) any { return []int64{c.Config.FirstID, c.Config.LastID} }, "[0 1]"},
		{"-H a:b --header c:d", func(c *FloodCommand) any { return c.Config.Header }, "[a:b c:d]"},
		{"--protocol sse", func(c *FloodCommand) any { return c.Config.Protocol }, "sse"},
		{"--stream-method PUT", func(c *FloodCommand) any { return c.Config.Method }, "PUT"},
		{"--stream-body b", func(c *FloodCommand) any { return c.Config.Body }, "b"},
		{"--ready r", func(c *FloodCommand) any { return c.Config.Ready }, "r"},
		{"--first-message a=>b --first-message c,d", func(c *FloodCommand) any { return c.Config.FirstMessages }, "[a=>b c,d]"},
		{"--reply a=>b", func(c *FloodCommand) any { return c.Config.Replies }, "[a=>b]"},
		{"--send-every 1s=a", func(c *FloodCommand) any { return c.Config.SendEvery }, "[1s=a]"},
		{"--subprotocol p --subprotocol q", func(c *FloodCommand) any { return c.Config.Subprotocols }, "[p q]"},
		{"--ca f", func(c *FloodCommand) any { return c.Config.TLS.CAFile }, "f"},
		{"--cert f", func(c *FloodCommand) any { return c.Config.TLS.CertFile }, "f"},
		{"--key f", func(c *FloodCommand) any { return c.Config.TLS.KeyFile }, "f"},
		{"--insecure", func(c *FloodCommand) any { return c.Config.TLS.Insecure }, "true"},
		{"--tls-resume", func(c *FloodCommand) any { return c.Config.TLSResume }, "true"},
		{"--resolve h:80:127.0.0.1", func(c *FloodCommand) any { return c.Config.Resolve["h:80"] }, "127.0.0.1"},
		{"--ramp 1k:10s,2k:1m", func(c *FloodCommand) any { return c.Config.Ramp }, "1k:10s,2k:1m"},
		{"--reconnect min=2s", func(c *FloodCommand) any { return c.Config.Reconnect }, "{2s 30s full}"},
		{"--churn 5%/s", func(c *FloodCommand) any { return float64(c.Config.Churn) }, "0.05"},
		{"--storm 30s:50%", func(c *FloodCommand) any { return c.Config.Storm }, "{30s 50%}"},
		{"--slow-readers 1%:1KB/s", func(c *FloodCommand) any { return c.Config.SlowReaders }, "{1% 1000}"},
		{"--half-open 0.5%", func(c *FloodCommand) any { return c.Config.HalfOpen }, "0.5%"},
		{"--users testdata/users.csv", func(c *FloodCommand) any { return c.Config.Users.Cell(1, 1) }, "t0psecret"},
		{"--source-ip 127.0.0.2-127.0.0.3 --source-ip ::1", func(c *FloodCommand) any { return c.Config.Sources }, "[127.0.0.2 127.0.0.3 ::1]"},
		{"--source-ip 127.0.1.0/30", func(c *FloodCommand) any { return len(c.Config.Sources) }, "4"},
		{"-c 10k", func(c *FloodCommand) any { return c.Config.Connections }, "10000"},
		{"--connect-rate 5k", func(c *FloodCommand) any { return c.Config.Pace.Rate() }, "5000"},
		{"--interval 10ms", func(c *FloodCommand) any { return c.Config.Pace.Rate() }, "100"},
		{"--fan-out", func(c *FloodCommand) any { return c.Config.FanOut }, "true"},
		{"--track-one-in 16", func(c *FloodCommand) any { return c.Config.TrackOneIn }, "16"},
		{"--subscribers 20", func(c *FloodCommand) any { return c.Config.Subscribers }, "20"},
		{"--skip 3", func(c *FloodCommand) any { return c.Config.Skip }, "3"},
		{"--in-flight 9", func(c *FloodCommand) any { return c.Config.InFlight }, "9"},
		{"--connect-timeout 9s", func(c *FloodCommand) any { return c.Config.ConnectTimeout }, "9s"},
		{"-d 1d", func(c *FloodCommand) any { return c.Config.Duration }, "24h0m0s"},
		{"--sample-interval 9ms", func(c *FloodCommand) any { return c.Config.SampleInterval }, "9ms"},
		{"--log l", func(c *FloodCommand) any { return c.Log }, "l"},
		{"--json", func(c *FloodCommand) any { return c.JSON }, "true"},
		{"--run 0badcafe,00000001 --run 00000002", func(c *FloodCommand) any { return c.Config.Run }, "[0badcafe 00000001 00000002]"},
		{"--attended", func(c *FloodCommand) any { return c.Attended }, "true"},
		{"--metrics :9100", func(c *FloodCommand) any { return c.Metrics.Address }, ":9100"},
		{"--admin-token-file f", func(c *FloodCommand) any { return c.Metrics.File.File }, "f"},
		{"--clock-offset -1.5ms", func(c *FloodCommand) any { return c.Config.ClockOffset }, "-1.5ms"},
		{"--agents 4", func(c *FloodCommand) any { return c.Agents }, "{4 []}"},
		{"--agents web2,10.0.0.3", func(c *FloodCommand) any { return c.Agents }, "{0 [web2 10.0.0.3]}"},
	})
	checkFields(t, "agent", []field[AgentCommand]{
		{"--name web2", func(c *AgentCommand) any { return c.Name }, "web2"},
		{"--router nats://a", func(c *AgentCommand) any { return c.Router.URLs }, "[nats://a]"},
	})
	checkFields(t, "serve", []field[ServeCommand]{
		{"--listen :1", func(c *ServeCommand) any { return c.Config.Listen }, ":1"},
		{"--admin :2", func(c *ServeCommand) any { return c.Config.Admin }, ":2"},
		{"--admin-token-file f", func(c *ServeCommand) any { return c.AdminToken.File }, "f"},
		{"--engine goroutine", func(c *ServeCommand) any { return c.Config.Engine }, "goroutine"},
		{"--loops 3", func(c *ServeCommand) any { return c.Config.Loops }, "3"},
		{"--max-connections 3", func(c *ServeCommand) any { return c.Config.MaxConnections }, "3"},
		{"--connection-limit 3", func(c *ServeCommand) any { return c.Config.ConnectionLimit }, "3"},
		{"--auth-key-file f", func(c *ServeCommand) any { return c.Config.AuthKeyFile }, "f"},
		{"--auth-audience a", func(c *ServeCommand) any { return c.Config.AuthAudience }, "a"},
		{"--backlog-bytes 3k", func(c *ServeCommand) any { return c.Config.BacklogBytes }, "3000"},
		{"--slow-client drop", func(c *ServeCommand) any { return c.Config.SlowClient }, "drop"},
		{"--poll-timeout 3s", func(c *ServeCommand) any { return c.Config.PollTimeout }, "3s"},
		{"--keepalive 3s", func(c *ServeCommand) any { return c.Config.KeepAlive }, "3s"},
		{"--keepalive 0", func(c *ServeCommand) any { return c.Config.KeepAlive }, "-1ns"},
		{"--heartbeat 3s", func(c *ServeCommand) any { return c.Config.Heartbeat }, "3s"},
		{"--access-log l", func(c *ServeCommand) any { return c.AccessLog }, "l"},
		{"--access-log-sample 3", func(c *ServeCommand) any { return c.Config.AccessLogSample }, "3"},
		{"--subscriptions f.db", func(c *ServeCommand) any { return c.Config.Subscriptions }, "f.db"},
		{"--subscriptions-read-only", func(c *ServeCommand) any { return c.Config.SubscriptionsReadOnly }, "true"},
		{"--drain-delay 3s", func(c *ServeCommand) any { return c.Config.DrainDelay }, "3s"},
		{"--drain-timeout 3s", func(c *ServeCommand) any { return c.Config.DrainTimeout }, "3s"},
		{"--max-ids-per-connection 3", func(c *ServeCommand) any { return c.Config.MaxIDs }, "3"},
		{"--memory-limit 2G", func(c *ServeCommand) any { return c.Config.MemoryLimit }, "2000000000"},
		{"--drain-spread 3s", func(c *ServeCommand) any { return c.Config.DrainSpread }, "3s"},
		{"--drain-spread 0", func(c *ServeCommand) any { return c.Config.DrainSpread }, "-1ns"},
		{"--interest all", func(c *ServeCommand) any { return c.Node.Interest }, "all"},
		{"--without-router refuse", func(c *ServeCommand) any { return c.Config.WithoutRouter }, "refuse"},
		{"--name n", func(c *ServeCommand) any { return c.Node.Name }, "n"},
		{"--max-head-bytes 2k", func(c *ServeCommand) any { return c.Config.MaxHeadBytes }, "2000"},
		{"--allow-origin http://a --allow-origin http://b", func(c *ServeCommand) any { return c.Config.AllowOrigins }, "[http://a http://b]"},
		{"--admin-host a,b --admin-host c", func(c *ServeCommand) any { return c.Config.AdminHosts }, "[a b c]"},
		{"--admin-tls-cert f", func(c *ServeCommand) any { return c.Config.AdminCertFile }, "f"},
		{"--admin-tls-key f", func(c *ServeCommand) any { return c.Config.AdminKeyFile }, "f"},
		{"--tls-cert f", func(c *ServeCommand) any { return c.Config.TLSCertFile }, "f"},
		{"--tls-key f", func(c *ServeCommand) any { return c.Config.TLSKeyFile }, "f"},
		{"--tls-resume", func(c *ServeCommand) any { return c.Config.TLSResume }, "true"},
		{"--json", func(c *ServeCommand) any { return c.JSON }, "true"},
		{"--end-with-stdin", func(c *ServeCommand) any { return c.EndWithStdin }, "true"},
	})
	checkFields(t, "send", []field[SendCommand]{
		{"--to http://h", func(c *SendCommand) any { return c.HTTP.URL }, "http://h"},
		{"--event", func(c *SendCommand) any { return c.HTTP.Events }, "true"},
		{"--admin-token-file f", func(c *SendCommand) any { return c.AdminToken.File }, "f"},
		{"--ca f", func(c *SendCommand) any { return c.TLS.CAFile }, "f"},
		{"--insecure", func(c *SendCommand) any { return c.TLS.Insecure }, "true"},
		{"--cert f", func(c *SendCommand) any { return c.TLS.CertFile }, "f"},
		{"--key f", func(c *SendCommand) any { return c.TLS.KeyFile }, "f"},
		{"--json", func(c *SendCommand) any { return c.JSON }, "true"},
		{"--router nats://a,nats://b --router nats://c", func(c *SendCommand) any { return c.Router.URLs }, "[nats://a nats://b nats://c]"},
		{"--router-credentials f", func(c *SendCommand) any { return c.Router.Credentials.File }, "f"},
		{"--router-ca f", func(c *SendCommand) any { return c.Router.servers.CAFile }, "f"},
		{"--router-cert f", func(c *SendCommand) any { return c.Router.servers.CertFile }, "f"},
		{"--router-key f", func(c *SendCommand) any { return c.Router.servers.KeyFile }, "f"},
		{"--subject-prefix p", func(c *SendCommand) any { return c.Router.servers.SubjectPrefix }, "p"},
	})
	checkFields(t, "router", []field[RouterCommand]{
		{"--listen :1", func(c *RouterCommand) any { return c.Config.Listen }, ":1"},
		{"--cluster-listen :2", func(c *RouterCommand) any { return c.Config.ClusterListen }, ":2"},
		{"--routes nats://a,nats://b", func(c *RouterCommand) any { return c.Config.Routes }, "[nats://a nats://b]"},
		{"--cluster-name n", func(c *RouterCommand) any { return c.Config.ClusterName }, "n"},
		{"--admin :3", func(c *RouterCommand) any { return c.Config.Admin }, ":3"},
		{"--admin-host a,b --admin-host c", func(c *RouterCommand) any { return c.Config.AdminHosts }, "[a b c]"},
		{"--admin-tls-cert f", func(c *RouterCommand) any { return c.Config.AdminCertFile }, "f"},
		{"--admin-tls-key f", func(c *RouterCommand) any { return c.Config.AdminKeyFile }, "f"},
		{"--admin-token-file f", func(c *RouterCommand) any { return c.AdminToken.File }, "f"},
		{"--credentials f", func(c *RouterCommand) any { return c.Credentials.File }, "f"},
		{"--tls-cert f", func(c *RouterCommand) any { return c.Config.CertFile }, "f"},
		{"--tls-key f", func(c *RouterCommand) any { return c.Config.KeyFile }, "f"},
		{"--tls-ca f", func(c *RouterCommand) any { return c.Config.CAFile }, "f"},
		{"--drain-timeout 3s", func(c *RouterCommand) any { return c.Config.DrainTimeout }, "3s"},
		{"--json", func(c *RouterCommand) any { return c.JSON }, "true"},
		{"--end-with-stdin", func(c *RouterCommand) any { return c.EndWithStdin }, "true"},
	})
}

func TestFieldsOfSamplers(t *testing.T) {
	checkFields(t, "memlog", []field[MemlogCommand]{
		{"--pid 1,2 --pid 3", func(c *MemlogCommand) any { return c.Config.PIDs }, "[1 2 3]"},
		{"--match m", func(c *MemlogCommand) any { return c.Config.Match }, "m"},
		{"--no-children", func(c *MemlogCommand) any { return c.Config.NoChildren }, "true"},
		{"--pss", func(c *MemlogCommand) any { return c.Config.PSS }, "true"},
		{"--listen 80,[::1]:81", func(c *MemlogCommand) any { return c.Config.Listen }, "[:80 [::1]:81]"},
		{"--stats http://h/stats", func(c *MemlogCommand) any { return c.Config.StatsURL }, "http://h/stats"},
		{"--admin-token-file f", func(c *MemlogCommand) any { return c.AdminToken.File }, "f"},
		{"--ca f", func(c *MemlogCommand) any { return c.TLS.CAFile }, "f"},
		{"--insecure", func(c *MemlogCommand) any { return c.TLS.Insecure }, "true"},
		{"--cert f", func(c *MemlogCommand) any { return c.TLS.CertFile }, "f"},
		{"--key f", func(c *MemlogCommand) any { return c.TLS.KeyFile }, "f"},
		{"--mark m", func(c *MemlogCommand) any { return c.Mark }, "m"},
		{"--interval 3s", func(c *MemlogCommand) any { return c.Config.Interval }, "3s"},
		{"--count-interval 3s", func(c *MemlogCommand) any { return c.Config.CountInterval }, "3s"},
		{"-d 3s", func(c *MemlogCommand) any { return c.Config.Duration }, "3s"},
		{"-o f", func(c *MemlogCommand) any { return c.Out }, "f"},
		{"--end-with-stdin", func(c *MemlogCommand) any { return c.EndWithStdin }, "true"},
	})
	checkFields(t, "msggen", []field[MsggenCommand]{
		{"--to http://h", func(c *MsggenCommand) any { return c.Config.To }, "http://h"},
		{"--events", func(c *MsggenCommand) any { return c.Config.Events }, "true"},
		{"--admin-token-file f", func(c *MsggenCommand) any { return c.AdminToken.File }, "f"},
		{"--ca f", func(c *MsggenCommand) any { return c.TLS.CAFile }, "f"},
		{"--insecure", func(c *MsggenCommand) any { return c.TLS.Insecure }, "true"},
		{"--cert f", func(c *MsggenCommand) any { return c.TLS.CertFile }, "f"},
		{"--key f", func(c *MsggenCommand) any { return c.TLS.KeyFile }, "f"},
		{"--resolve h:80:::1", func(c *MsggenCommand) any { return c.Publish.Resolve["h:80"] }, "::1"},
		{"--publish http://h/{id}", func(c *MsggenCommand) any { return c.Publish.URL }, "http://h/{id}"},
		{"--method PUT", func(c *MsggenCommand) any { return c.Publish.Method }, "PUT"},
		{"-H a:b --header c:d", func(c *MsggenCommand) any { return c.Publish.Header }, "[a:b c:d]"},
		{"--body b", func(c *MsggenCommand) any { return c.Publish.Body }, "b"},
		{"--publish-connections 3", func(c *MsggenCommand) any { return c.Publish.Connections }, "3"},
		{"--interval 3s", func(c *MsggenCommand) any { return c.Config.Interval }, "3s"},
		{"-r 5k", func(c *MsggenCommand) any { return []any{c.Config.Rate, c.Config.Max, c.Config.Interval} }, "[5000 false 0s]"},
		{"-r max", func(c *MsggenCommand) any { return []any{c.Config.Rate, c.Config.Max, c.Config.Interval} }, "[0 true 0s]"},
		{"--count 3", func(c *MsggenCommand) any { return c.Config.Count }, "3"},
		{"-d 3s", func(c *MsggenCommand) any { return c.Config.Duration }, "3s"},
		{"--senders 3", func(c *MsggenCommand) any { return c.Config.Senders }, "3"},
		{"--distribution zipf:2", func(c *MsggenCommand) any { return c.Config.Distribution.Exponent }, "2"},
		{"--arrivals bursts:7", func(c *MsggenCommand) any { return c.Config.Arrivals.Burst }, "7"},
		{"--size exp:9", func(c *MsggenCommand) any { return c.Config.Size.Bytes }, "9"},
		{"--seed 18446744073709551615", func(c *MsggenCommand) any { return c.Config.Seed }, "18446744073709551615"},
		{"--window 3", func(c *MsggenCommand) any { return c.Config.Window }, "3"},
		{"--first-id 3", func(c *MsggenCommand) any { return c.Config.FirstID }, "3"},
		{"--max-id 3", func(c *MsggenCommand) any { return c.Config.MaxID }, "3"},
		{"--log l", func(c *MsggenCommand) any { return c.Log }, "l"},
		{"--users testdata/users.csv", func(c *MsggenCommand) any { return c.Config.Users.Cell(1, 1) }, "t0psecret"},
		{"--json", func(c *MsggenCommand) any { return c.JSON }, "true"},
		{"--run 0badcafe", func(c *MsggenCommand) any { return c.Config.Run }, "0badcafe"},
		{"--reach 20", func(c *MsggenCommand) any { return c.Config.Reach }, "20"},
		{"--feedback", func(c *MsggenCommand) any { return c.Feedback }, "true"},
		{"--metrics [::1]:9100", func(c *MsggenCommand) any { return c.Metrics.Address }, "[::1]:9100"},
	})
}

// checkFields parses each of the flags alone, and finds every flag of the command in
// the table but those of the router, which send has.
func checkFields[T any, C Command[T]](t *testing.T, name string, fields []field[T]) {
	t.Helper()
	tried := map[string]bool{}
	for _, f := range fields {
		cmd := new(T)
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		C(cmd).Bind(fs)
		if err := fs.Parse(strings.Fields(f.args)); err != nil {
			t.Errorf("%s %s: %v", name, f.args, err)
			continue
		}
		fs.Visit(func(f *pflag.Flag) { tried[f.Name] = true })
		if got := fmt.Sprint(f.get(cmd)); got != f.want {
			t.Errorf("%s %s: %s, want %s", name, f.args, got, f.want)
		}
		if args := Args[T, C](*cmd); len(args) == 0 {
			t.Errorf("%s %s is rendered as nothing", name, f.args)
		}
	}
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	C(new(T)).Bind(fs)
	fs.VisitAll(func(f *pflag.Flag) {
		if !tried[f.Name] && !strings.HasPrefix(f.Name, "router") && f.Name != "subject-prefix" {
			t.Errorf("%s --%s is not tried", name, f.Name)
		}
	})
}
