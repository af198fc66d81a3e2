package flags

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// Resolve adds the flag that gives names an address, as curl's of that name.
func Resolve(fs *pflag.FlagSet, field *map[string]netip.Addr) {
	*field = nil
	fs.Var(&resolved{field}, "resolve", "use this `HOST:PORT:ADDRESS` instead of asking for the name; repeatable")
}

// resolved is addresses by host and port.
type resolved struct{ field *map[string]netip.Addr }

func (r *resolved) Type() string { return "list" }

func (r *resolved) String() string {
	if r.field == nil {
		return "[]"
	}
	return "[" + strings.Join(r.GetSlice(), ",") + "]"
}

func (r *resolved) Set(text string) error {
	host, rest, ok := cutHost(text)
	port, address, found := strings.Cut(rest, ":")
	number, err := strconv.ParseUint(port, 10, 16)
	addr, addrErr := netip.ParseAddr(strings.Trim(address, "[]"))
	if !ok || !found || err != nil || number == 0 || addrErr != nil || addr.Zone() != "" {
		return fmt.Errorf("%q: write HOST:PORT:ADDRESS, such as push.example.org:443:127.0.0.1", text)
	}
	if *r.field == nil {
		*r.field = make(map[string]netip.Addr)
	}
	(*r.field)[net.JoinHostPort(strings.ToLower(host), port)] = addr.Unmap()
	return nil
}

// cutHost cuts a name or an address in brackets from what follows its colon.
func cutHost(text string) (host, rest string, ok bool) {
	if strings.HasPrefix(text, "[") {
		host, rest, ok = strings.Cut(text[1:], "]:")
		return host, rest, ok && host != ""
	}
	host, rest, ok = strings.Cut(text, ":")
	return host, rest, ok && host != ""
}

// GetSlice, Append and Replace make a [pflag.SliceValue] of it.
func (r *resolved) GetSlice() []string {
	var all []string
	for _, at := range slices.Sorted(maps.Keys(*r.field)) {
		all = append(all, at+":"+(*r.field)[at].String())
	}
	return all
}

func (r *resolved) Append(text string) error { return r.Set(text) }

func (r *resolved) Replace(texts []string) error {
	*r.field = nil
	for _, text := range texts {
		if err := r.Set(text); err != nil {
			return err
		}
	}
	return nil
}
