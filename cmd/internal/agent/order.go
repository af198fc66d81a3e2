package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/flood"
	"example.org/comet/flood/users"
	"example.org/comet/sysctl"
)

// mostOrder bounds an order, most of which is users and URLs.
const mostOrder = 256 << 20

// order is what a host is told to do: a flood's settings with the contents of their
// files.
type order struct {
	Settings flags.FloodSettings `json:"settings"`
	URLs     []string            `json:"urls,omitempty"`
	Users    string              `json:"users,omitempty"` // CSV
	// PEM.
	CA   string `json:"ca,omitempty"`
	Cert string `json:"cert,omitempty"`
	Key  string `json:"key,omitempty"`
}

// newOrder returns the order of a flood, as JSON.
func newOrder(cfg flood.Config) ([]byte, error) {
	o := order{Settings: flags.NewFloodSettings(cfg), URLs: cfg.URLs, Users: csvOf(cfg.Users)}
	for _, file := range []struct {
		name string
		into *string
	}{{cfg.TLS.CAFile, &o.CA}, {cfg.TLS.CertFile, &o.Cert}, {cfg.TLS.KeyFile, &o.Key}} {
		if file.name == "" {
			continue
		}
		text, err := os.ReadFile(file.name)
		if err != nil {
			return nil, fmt.Errorf("agent: %w", err)
		}
		*file.into = string(text)
	}
	text, err := json.Marshal(o)
	if err == nil && len(text) > mostOrder {
		err = fmt.Errorf("agent: the settings of a flood have %d bytes with the contents of their files, and an agent takes %d: give fewer users or URLs", len(text), mostOrder)
	}
	return text, err
}

// csvOf writes users as [users.Read] takes them, "" for nil. Every cell is quoted: a
// first one that begins with # would be a comment, and an empty one no line.
func csvOf(t *users.Table) string {
	if t == nil {
		return ""
	}
	var b strings.Builder
	line := func(cells []string) {
		for i, cell := range cells {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`"` + strings.ReplaceAll(cell, `"`, `""`) + `"`)
		}
		b.WriteByte('\n')
	}
	columns := t.Columns()
	line(columns)
	row := make([]string, len(columns))
	for n := range t.Len() {
		for i := range row {
			row[i] = t.Cell(n, i)
		}
		line(row)
	}
	return b.String()
}

// readOrder reads what newOrder has written.
func readOrder(text []byte) (o order, err error) {
	in := json.NewDecoder(strings.NewReader(string(text)))
	in.DisallowUnknownFields()
	if err := in.Decode(&o); err != nil {
		return o, fmt.Errorf("the order cannot be read: %w", err)
	}
	return o, nil
}

// command returns the flood of the order, whose files it has written into a folder.
func (o order) command(dir string) (c flags.FloodCommand, err error) {
	cfg, err := o.Settings.Config()
	if err != nil {
		return c, err
	}
	for _, file := range []struct {
		name, text string
		into       *string
	}{
		{"ca.pem", o.CA, &cfg.TLS.CAFile},
		{"cert.pem", o.Cert, &cfg.TLS.CertFile},
		{"key.pem", o.Key, &cfg.TLS.KeyFile},
		{"urls.txt", strings.Join(o.URLs, "\n"), &c.URLFile},
	} {
		if file.text == "" {
			continue
		}
		*file.into = filepath.Join(dir, file.name)
		if err := os.WriteFile(*file.into, []byte(file.text), 0o600); err != nil {
			return c, err
		}
	}
	if o.Users != "" {
		path := filepath.Join(dir, "users.csv")
		if err := os.WriteFile(path, []byte(o.Users), 0o600); err != nil {
			return c, err
		}
		if cfg.Users, err = users.Read(strings.NewReader(o.Users), path); err != nil {
			return c, err
		}
	}
	c.Config, c.JSON, c.Attended = cfg, true, true
	cfg.URLs = o.URLs
	return c, check(cfg)
}

// check returns why this host cannot run a flood.
func check(cfg flood.Config) error {
	fl, err := flood.New(cfg)
	if err != nil {
		return err
	}
	if _, _, err := sysctl.RaiseOpenFiles(); err != nil {
		return err
	}
	need := sysctl.Need{Connections: fl.Connections(), Role: sysctl.Client, SourceAddresses: len(cfg.Sources), Destinations: len(fl.Destinations())}
	system, _ := sysctl.Read() // what cannot be read is unknown
	return sysctl.Refusal(need, sysctl.Check(need, system))
}
