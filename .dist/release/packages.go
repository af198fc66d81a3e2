package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// places returns where f belongs: by packager, where they differ, else for all.
func (f file) places() map[string]string {
	if f.name == "completions/_comet" { // Debian's zsh looks elsewhere
		return map[string]string{"deb": "/usr/share/zsh/vendor-completions/_comet", "rpm": f.installed, "apk": f.installed}
	}
	return map[string]string{"": f.installed}
}

// makePackages makes a deb, an rpm and an apk of files, by nfpm. Its configuration is
// YAML, of which JSON is a part.
func (o options) makePackages(src source, p platform, tree string, files []file) error {
	var contents []map[string]any
	for _, f := range files {
		if f.installed == "" {
			continue
		}
		path := filepath.Join(tree, f.installed)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.content, f.mode); err != nil {
			return err
		}
		places := f.places()
		for _, packager := range slices.Sorted(maps.Keys(places)) {
			contents = append(contents, map[string]any{
				"src": path, "dst": places[packager], "packager": packager,
				"file_info": map[string]any{"mode": f.mode, "owner": "root", "group": "root", "mtime": src.date.Format(time.RFC3339)},
			})
		}
	}
	config, err := json.Marshal(map[string]any{
		"name": "comet", "arch": p.arch, "platform": "linux", "version": src.version, "version_schema": "semver",
		"section": "net", "priority": "optional", "license": "Apache-2.0",
		"maintainer":  "comet <comet@example.org>",
		"vendor":      "comet",
		"homepage":    "https://example.org/comet",
		"description": "Measures servers that hold many long-lived connections.\nHow many connections does this box hold, at what cost, and what stops it first?",
		"mtime":       src.date.Format(time.RFC3339),
		"contents":    contents,
		"rpm":         map[string]any{"buildhost": "localhost"},
	})
	if err != nil {
		return err
	}
	path := filepath.Join(filepath.Dir(tree), "nfpm.yaml")
	if err := os.WriteFile(path, config, 0o644); err != nil {
		return err
	}
	for _, kind := range []string{"deb", "rpm", "apk"} {
		cmd := exec.Command("go", "tool", "-modfile=.ci/tools/nfpm/go.mod", "nfpm", "package", "--config", path, "--packager", kind, "--target", o.out+string(filepath.Separator))
		cmd.Dir = o.root
		cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+strconv.FormatInt(src.date.Unix(), 10))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("nfpm, %s: %w: %s", kind, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
