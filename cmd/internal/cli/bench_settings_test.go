package cli

import (
	"slices"
	"testing"
)

// TestBenchCommand: what was given, whoever gave it, without what lets somebody in.
func TestBenchCommand(t *testing.T) {
	got := benchOf(t, "-c", "10k", "-r", "5", "--force", "--out", "x", "--url", "ws://h/{id}?token=secret&a=1", "--publish", "http://h/{id}",
		"-H", "TE: chunked", "-H", "Authorization: Bearer secret", "--publish-header", "X-Api-Key: secret", "--first-message", `{"token":"secret"}`, "--source-ip", "10.0.0.2", "--source-ip", "10.0.0.3").Config.Command
	want := []string{
		"comet", "bench", "--connections=10000", "--first-message=...", "--header=TE: chunked", "--header=Authorization: ...", "--publish=http://h/{id}",
		"--publish-header=X-Api-Key: ...", "--rate=5", "--source-ip=10.0.0.2-10.0.0.3", "--url=ws://h/{id}?token=...&a=1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("\n%q, want\n%q", got, want)
	}
	// What is run again gives the same settings.
	first := benchOf(t, "-c", "10k", "--header", "X: a b", "--ramp", "1k:10s,10k:30s", "--size", "exp:20").Config
	again := benchOf(t, first.Command[2:]...).Config
	if !slices.Equal(first.Command, again.Command) || first.Connections != again.Connections || first.Size != again.Size || again.Streams.Header[0] != "X: a b" {
		t.Errorf("%q gives %q", first.Command, again.Command)
	}
}
