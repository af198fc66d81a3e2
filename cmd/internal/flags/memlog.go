package flags

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"example.org/comet/memlog"
	"example.org/comet/memlog/sockdiag"
	"example.org/comet/server/tlsclient"
)

// MemlogCommand is the flags of comet memlog.
type MemlogCommand struct {
	Config memlog.Config
	// Out is the file of the log, "-" for standard output.
	Out string
	// Mark is the event to append to it instead of logging.
	Mark         string
	AdminToken   Secret
	TLS          tlsclient.Options // for --stats
	EndWithStdin bool
}

// Bind implements [Command].
func (c *MemlogCommand) Bind(fs *pflag.FlagSet) {
	Memlog(fs, &c.Config)
	Group(fs, Target, func() {
		c.AdminToken.adminToken(fs, "`file` with the token that --stats needs")
		ClientTLS(fs, &c.TLS)
		EndWithStdin(fs, &c.EndWithStdin)
	})
	Group(fs, Output, func() {
		String(fs, &c.Mark, "mark", "", "", "append one line with event=`TEXT` to the log --out, and end")
		String(fs, &c.Out, "out", "o", "-", "append to `FILE`; - is standard output")
	})
}

// Memlog adds the flags of a memory log's Config.
func Memlog(fs *pflag.FlagSet, cfg *memlog.Config) {
	Group(fs, Target, func() {
		PIDs(fs, &cfg.PIDs, "watch the processes `N[,N...]` and their descendants")
		Pattern(fs, &cfg.Match, "watch the process whose command line matches the regular expression `PATTERN`, and its descendants")
		fs.BoolVar(&cfg.NoChildren, "no-children", false, "leave the descendants out")
		fs.BoolVar(&cfg.PSS, "pss", false, "add pss_kb=, which counts shared memory once (Linux; 20 ms for each GiB)")
		List(fs, &cfg.Listen, "listen", "count connections at this local `PORT`, ADDRESS:PORT or prefix such as 127.0.0.0/8:8000; repeatable", sockdiag.ParseFilter, sockdiag.Filter.String)
		URL(fs, &cfg.StatsURL, "stats", "", "ask the server at this `URL` for its own count of connections: JSON with a number \"connections\"")
	})
	Group(fs, Output, func() {
		Duration(fs, &cfg.Interval, "interval", "", memlog.DefaultInterval, "time from one line to the next", Least(time.Millisecond))
		Duration(fs, &cfg.CountInterval, "count-interval", "", 0, "least time from one count of connections to the next, which takes 0.7 s of a million; 0: count for each line")
		Duration(fs, &cfg.Duration, "duration", "d", 0, "end after this time, with a last line; 0: never")
	})
}

// Complete reads the token and checks the flags against each other.
func (c *MemlogCommand) Complete(fs *pflag.FlagSet, getenv func(string) string) error {
	switch {
	case fs.Changed("mark"):
		return c.checkMark(fs)
	case len(c.Config.PIDs) == 0 && c.Config.Match == "":
		return errors.New("say which process to watch: --pid N or --match PATTERN")
	case len(c.Config.PIDs) > 0 && c.Config.Match != "":
		return errors.New("say which process to watch by --pid or by --match, not by both")
	case c.AdminToken.File != "" && c.Config.StatsURL == "":
		return errors.New("--admin-token-file goes with --stats")
	case c.Config.StatsURL == "":
		if name := FirstGiven(fs, ClientTLSFlags()...); name != "" {
			return fmt.Errorf("--%s goes with --stats", name)
		}
		return nil
	}
	var err error
	if c.Config.StatsTLS, err = ClientConfig(fs, c.TLS, "stats", c.Config.StatsURL); err != nil {
		return err
	}
	c.Config.StatsToken, err = c.AdminToken.Read(getenv)
	return err
}

// checkMark refuses what says nothing about an event.
func (c *MemlogCommand) checkMark(fs *pflag.FlagSet) error {
	var other string
	fs.Visit(func(f *pflag.Flag) {
		if GroupOf(f) != "" && f.Name != "mark" && f.Name != "out" {
			other = f.Name
		}
	})
	switch {
	case other != "":
		return fmt.Errorf("--%s says nothing about an event: --mark goes with --out alone", other)
	case c.Out == "-":
		return errors.New("say which log to mark: --mark TEXT --out FILE")
	case strings.TrimSpace(c.Mark) == "":
		return errors.New("an event needs a text: --mark 'messages begin'")
	}
	return nil
}
