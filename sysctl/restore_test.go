package sysctl

import (
	"errors"
	"io/fs"
	"slices"
	"testing"
)

func TestPutWritesBackWhatApplyRaised(t *testing.T) {
	m := narrow(t)
	names := []string{"net.core.somaxconn", "net.ipv4.tcp_mem", "net.ipv4.ip_local_port_range"}
	before, err := m.Settings(names...)
	if err != nil {
		t.Fatal(err)
	}
	want := []Assignment{
		{"net.core.somaxconn", "128"},
		{"net.ipv4.tcp_mem", "100 9000 9500"},
		{"net.ipv4.ip_local_port_range", "32768 33767"},
	}
	if !slices.Equal(before, want) {
		t.Fatalf("got %v, want %v", before, want)
	}
	s, limits := examine(t, m, Need{Connections: 10000, Role: Both})
	if _, err := m.Apply(s, limits); err != nil {
		t.Fatal(err)
	}
	if raised, err := m.Settings(names...); err != nil || slices.Equal(raised, before) {
		t.Fatalf("Apply raised nothing: %v, %v", raised, err)
	}
	for _, c := range m.Put(before) {
		if c.Err != nil || c.Before == c.After {
			t.Errorf("%+v", c)
		}
	}
	if after, err := m.Settings(names...); err != nil || !slices.Equal(after, before) {
		t.Errorf("got %v, want %v, %v", after, before, err)
	}
	for _, c := range m.Put(before) {
		if c.Err != nil || c.Before != c.After {
			t.Errorf("a second time: %+v", c)
		}
	}
}

func TestPutGoesOnAfterAFailure(t *testing.T) {
	m := narrow(t)
	changes := m.Put([]Assignment{{"net.core.there_is_none", "1"}, {"net.core.somaxconn", "64"}})
	if !errors.Is(changes[0].Err, fs.ErrNotExist) || changes[1].Err != nil || changes[1].After != "64" {
		t.Errorf("%+v", changes)
	}
	if _, err := m.Settings("net.core.somaxconn", "net.core.there_is_none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want a file that is not there", err)
	}
}

func TestCommand(t *testing.T) {
	for want, a := range map[string]Assignment{
		"sysctl -w net.core.somaxconn=4096":     {"net.core.somaxconn", "4096"},
		`sysctl -w net.ipv4.tcp_mem="1 20 300"`: {"net.ipv4.tcp_mem", "1 20 300"},
	} {
		if got := a.Command(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
