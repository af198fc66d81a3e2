package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretURLs: no command says the password or the token of a URL that it cannot use,
// or where nobody answers.
func TestSecretURLs(t *testing.T) {
	const sentinel = "S3NTINEL"
	stream := "http://127.0.0.1:1/{id}?access_token=" + sentinel
	admin := "http://u:" + sentinel + "@127.0.0.1:1/send?token=" + sentinel
	file := filepath.Join(t.TempDir(), "urls")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(admin, "http", "nats")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"flood":               {"flood", stream, "-c", "1", "-d", "100ms"},
		"flood, a password":   {"flood", admin, "-c", "1", "-d", "100ms"},
		"flood, no URL":       {"flood", "http://h:x/?token=" + sentinel, "-c", "1"},
		"flood, a scheme":     {"flood", "nats://u:" + sentinel + "@h/{id}", "-c", "1"},
		"flood, a WebSocket":  {"flood", strings.Replace(stream, "http", "ws", 1), "--method", "POST", "-c", "1"},
		"flood, a file":       {"flood", "--urls", file},
		"send":                {"send", "--to", admin, "1", "hi"},
		"send, a scheme":      {"send", "--to", strings.Replace(admin, "http", "nats", 1), "1", "hi"},
		"msggen":              {"msggen", "--to", admin, "--count", "1", "--max-id", "1"},
		"msggen, publish":     {"msggen", "--publish", stream, "--count", "1", "--max-id", "1"},
		"msggen, braces":      {"msggen", "--publish", stream + "&{x}", "--count", "1", "--max-id", "1"},
		"msggen, a port":      {"msggen", "--to", strings.Replace(admin, ":1/", ":99999/", 1), "--count", "1", "--max-id", "1"},
		"memlog":              {"memlog", "--pid", fmt.Sprint(os.Getpid()), "--no-children", "-d", "1ms", "--stats", admin},
		"memlog, a scheme":    {"memlog", "--pid", "1", "--stats", "nats://u:" + sentinel + "@h/?token=" + sentinel},
		"health":              {"health", admin},
		"health, a scheme":    {"health", strings.Replace(admin, "http", "nats", 1)},
		"send, by the router": {"send", "--router", "nats://u:" + sentinel + "@127.0.0.1:1", "1", "hi"},
		"bench, its own URL":  {"bench", "--url", stream, "--publish", admin, "-c", "1", "--out", filepath.Join(t.TempDir(), "r"), "-d", "1s", "--ready", "("},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, out, said := testEnv(strings.NewReader(""))
			code := Run(t.Context(), env, args)
			if code == exitDone && args[0] != "memlog" || said.String() == "" {
				t.Errorf("exit code %d, it says %q", code, said.String())
			}
			if all := out.String() + said.String(); strings.Contains(all, sentinel) {
				t.Errorf("it says a secret: %s", all)
			}
		})
	}
}
