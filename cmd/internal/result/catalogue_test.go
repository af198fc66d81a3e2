package result_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

// numericKeys walks the struct tags of a type and returns the dotted key of
// each figure. Lists and maps hold figures by name, not by key.
func numericKeys(prefix string, t reflect.Type) []string {
	switch {
	case t == reflect.TypeFor[result.Figure]():
		return []string{prefix}
	case t.Kind() == reflect.Pointer && t != reflect.TypeFor[*result.Environment]():
		return numericKeys(prefix, t.Elem())
	case t.Kind() != reflect.Struct:
		return nil
	}
	var keys []string
	for field := range t.Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		keys = append(keys, numericKeys(strings.TrimPrefix(prefix+"."+key, "."), field.Type)...)
	}
	return keys
}

func TestEachKeyIsInTheCatalogue(t *testing.T) {
	keys := numericKeys("", reflect.TypeFor[result.Result]())
	if len(keys) < 50 {
		t.Fatalf("found only %q", keys)
	}
	for _, key := range keys {
		if m, ok := result.Lookup(key); !ok || m.Key != key {
			t.Errorf("%s has no entry in the catalogue", key)
		}
	}
}

// Each metric reads the figure of its own key, and stands in the table and in
// bench.txt under names of its own.
func TestCatalogue(t *testing.T) {
	r := full()
	text, err := json.Marshal(&r)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	inFile := map[string]bool{}
	for _, key := range numericKeys("", reflect.TypeFor[result.Result]()) {
		inFile[key] = true
	}
	seen := map[string]bool{}
	once := func(what, name string) {
		if name != "" && seen[what+name] {
			t.Errorf("%s %q is there twice", what, name)
		}
		seen[what+name] = true
	}
	derived := 0
	for _, m := range result.Catalogue() {
		once("key", m.Key)
		once("row", m.Section+": "+m.Label)
		once("unit", m.BenchUnit)
		if m.BenchUnit != "" && m.Better == "" {
			t.Errorf("%s is for benchstat, which must know what is better", m.Key)
		}
		got, ok := m.Of(&r).Value()
		if !ok {
			t.Errorf("%s is not measured in a full result", m.Key)
		}
		if _, ok := m.Of(new(result.Result)).Value(); ok {
			t.Errorf("%s is measured in an empty result", m.Key)
		}
		if !inFile[m.Key] {
			derived++
		} else if want, _ := lookup(file, m.Key); got != want {
			t.Errorf("%s reads %v, the file has %v", m.Key, got, want)
		}
	}
	if derived != 8 {
		t.Errorf("%d metrics are derived, want 8", derived)
	}
}

func TestLookupKnowsTheShortNames(t *testing.T) {
	for alias, key := range map[string]string{
		"p50": "latency_ms.p50", "p90": "latency_ms.p90", "p99": "latency_ms.p99", "p99.9": "latency_ms.p999", "max": "latency_ms.max",
		"loss": "loss", "missing": "messages.missing", "errors": "errors", "rss": "memory.rss_peak_bytes", "cpu": "cpu",
		"per_connection": "memory.bytes_per_connection", "connect.latency_ms.p99": "connect.latency_ms.p99",
	} {
		if m, ok := result.Lookup(alias); !ok || m.Key != key {
			t.Errorf("%s is %q, want %s", alias, m.Key, key)
		}
	}
	for _, unknown := range []string{"", "p95", "latency_ms", "environment", "settings.rate", "P99", "latency_ms.p99 "} {
		if m, ok := result.Lookup(unknown); ok {
			t.Errorf("%q is %s", unknown, m.Key)
		}
	}
}

func TestDerived(t *testing.T) {
	of := func(key string, change func(r *result.Result)) result.Figure {
		r := new(result.Result)
		r.Connections.Failed, r.Connections.Closed = result.Of(2), result.Of(3)
		r.Messages.Sent, r.Messages.Refused = result.Of(100), result.Of(4)
		r.Messages.Expected, r.Messages.Missing = result.Of(200), result.Of(50)
		r.Messages.Delivered, r.Messages.DeliveredPerSecond, r.CPU.Server = result.Of(1000), result.Of(100), result.Of(15)
		change(r)
		m, _ := result.Lookup(key)
		return m.Of(r)
	}
	none := result.Figure{}
	for _, tt := range []struct {
		name, key string
		change    func(r *result.Result)
		want      result.Figure
	}{
		{"all errors", "errors", func(*result.Result) {}, result.Of(9)},
		{"without messages", "errors", func(r *result.Result) { r.Messages = result.Messages{} }, result.Of(5)},
		{"refusals unknown", "errors", func(r *result.Result) { r.Messages.Refused = none }, none},
		{"failures unknown", "errors", func(r *result.Result) { r.Connections.Failed = none }, none},
		{"a quarter lost", "loss", func(*result.Result) {}, result.Of(0.25)},
		{"none expected", "loss", func(r *result.Result) { r.Messages.Expected, r.Messages.Missing = result.Of(0), result.Of(0) }, result.Of(0)},
		{"missing unknown", "loss", func(r *result.Result) { r.Messages.Missing = none }, none},
		{"15 s of CPU in 10 s", "cpu", func(*result.Result) {}, result.Of(1.5)},
		{"no CPU known", "cpu", func(r *result.Result) { r.CPU.Server = none }, none},
		{"per message", "cpu_us_per_message.server", func(*result.Result) {}, result.Of(15_000)},
	} {
		if got := of(tt.key, tt.change); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
