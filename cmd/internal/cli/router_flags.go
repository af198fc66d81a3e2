package cli

import (
	"os"
	"strings"

	"github.com/spf13/pflag"

	"example.org/comet/server/natsrouter"
)

// routerFlags are how a command is told of the NATS servers it goes through.
type routerFlags struct {
	urls            []string
	credentialsFile string
	servers         natsrouter.Servers
}

func (r *routerFlags) add(f *pflag.FlagSet, usage string) {
	f.StringSliceVar(&r.urls, "router", nil, usage)
	f.StringVar(&r.credentialsFile, "router-credentials", "", "`file` with what lets us in at the router: user:password, a token, or a NATS .creds file (or COMET_ROUTER_CREDENTIALS)")
	f.StringVar(&r.servers.CAFile, "router-ca", "", "PEM `file` with the certificates that the router's is checked against")
	f.StringVar(&r.servers.CertFile, "router-cert", "", "PEM `file` with our own certificate for the router")
	f.StringVar(&r.servers.KeyFile, "router-key", "", "PEM `file` with its key")
	f.StringVar(&r.servers.SubjectPrefix, "subject-prefix", natsrouter.DefaultSubjectPrefix, "what the subjects of messages begin with")
}

// given tells whether there is a router.
func (r *routerFlags) given() bool { return len(r.urls) > 0 }

// read makes the settings of what was given. Without a router it refuses what
// is for one.
func (r *routerFlags) read(env *Env, f *pflag.FlagSet) (natsrouter.Servers, error) {
	if !r.given() {
		if f.Changed("router") {
			return natsrouter.Servers{}, usagef("--router is empty: name a router, such as nats://127.0.0.1:4222")
		}
		for _, name := range []string{"router-credentials", "router-ca", "router-cert", "router-key", "subject-prefix"} {
			if f.Changed(name) {
				return natsrouter.Servers{}, usagef("--%s is for --router, which is not given", name)
			}
		}
		return natsrouter.Servers{}, nil
	}
	r.servers.URLs = r.urls
	r.servers.Logger = env.Logger()
	credentials, err := routerCredentials(env, r.credentialsFile)
	if err != nil {
		return natsrouter.Servers{}, err
	}
	r.servers.Credentials = credentials
	if err := r.servers.Validate(); err != nil {
		return natsrouter.Servers{}, usageError{err}
	}
	return r.servers, nil
}

// args are the same flags for another process.
func (r *routerFlags) args() []string {
	if !r.given() {
		return nil
	}
	args := []string{"--router", strings.Join(r.urls, ","), "--subject-prefix", r.servers.SubjectPrefix}
	for _, one := range []struct{ name, value string }{
		{"--router-credentials", r.credentialsFile},
		{"--router-ca", r.servers.CAFile},
		{"--router-cert", r.servers.CertFile},
		{"--router-key", r.servers.KeyFile},
	} {
		if one.value != "" {
			args = append(args, one.name, one.value)
		}
	}
	return args
}

// routerCredentials come from a file or the environment, never from a flag
// value, which every user of the machine can see.
func routerCredentials(env *Env, file string) (string, error) {
	if file == "" {
		return env.Getenv("COMET_ROUTER_CREDENTIALS"), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", usagef("the router's credentials: %w", err)
	}
	if strings.TrimSpace(string(text)) == "" {
		return "", usagef("the credentials file %s is empty", file)
	}
	return string(text), nil
}
