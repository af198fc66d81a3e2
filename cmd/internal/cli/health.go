package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/server/tlsclient"
	"example.org/comet/server/wire"
)

// healthOptions are the flags and the argument of comet health.
type healthOptions struct {
	URL     string
	Timeout time.Duration
	TLS     tlsclient.Options
}

func newHealth(env *Env, run func(context.Context, *Env, *healthOptions) error) *cobra.Command {
	o := new(healthOptions)
	cmd := describe(&cobra.Command{
		Use:               "health [URL]",
		Args:              exactly(0, 1, "the URL of one admin listener: comet health http://127.0.0.1:8001"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.URL = "http://127.0.0.1:8001"
			if len(args) > 0 {
				o.URL = args[0]
			}
			return run(cmd.Context(), env, o)
		},
	}, "health")
	flags.Group(cmd.Flags(), flags.Target, func() {
		flags.Duration(cmd.Flags(), &o.Timeout, "timeout", "", 3*time.Second, "how long the answer may take", flags.Least(time.Millisecond))
		flags.ClientTLS(cmd.Flags(), &o.TLS)
	})
	return cmd
}

// runHealth asks once. A server that does not say that it is well is exit code 1.
func runHealth(ctx context.Context, env *Env, o *healthOptions) error {
	at, err := healthURL(o.URL)
	if err != nil {
		return usageError{err}
	}
	shown := wire.ShowURL(at)
	trust, err := o.TLS.Config()
	if err != nil {
		return usageError{err}
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return usageError{err}
	}
	transport := &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true} // and no proxy
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // without the URL again
		}
		return fmt.Errorf("not healthy: %s: %w", shown, err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	text := wire.Printable(strings.TrimSpace(string(said)), 4<<10)
	if err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("not healthy: %s answers %s: %s", shown, wire.Printable(answer.Status, 100), text)
	}
	_, err = fmt.Fprintf(env.Stdout, "healthy: %s\n", text)
	return err
}

// healthURL returns where to ask: /healthz, if the URL names no page.
func healthURL(text string) (string, error) {
	if err := flags.CheckURL(text); err != nil {
		return "", err
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", err
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", fmt.Errorf("%q: write http://host:port or https://host:port", wire.ShowURL(text))
	case u.Path == "" || u.Path == "/":
		u.Path = "/healthz"
	}
	return u.String(), nil
}
