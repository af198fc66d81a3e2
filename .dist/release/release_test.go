package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var testFiles = []file{{name: "comet", content: []byte("program"), mode: 0o755}, {name: "README.md", content: []byte("text"), mode: 0o644}}

// TestArchivesAreTheSame: the order of files and the moment of writing are not in an
// archive.
func TestArchivesAreTheSame(t *testing.T) {
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, p := range []platform{{"linux", "amd64"}, {"windows", "arm64"}} {
		var made [2][]byte
		for i, files := range [][]file{testFiles, {testFiles[1], testFiles[0]}} {
			path := filepath.Join(t.TempDir(), "comet_1")
			if err := writeArchive(path, p, files, date); err != nil {
				t.Fatal(err)
			}
			all, _ := filepath.Glob(path + ".*")
			content, err := os.ReadFile(all[0])
			if err != nil {
				t.Fatal(err)
			}
			made[i] = content
		}
		if !bytes.Equal(made[0], made[1]) {
			t.Errorf("%s: the archives differ", p)
		}
	}
}

func TestTarHasModesAndDates(t *testing.T) {
	var out bytes.Buffer
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := writeTar(&out, "comet_1/", testFiles, date); err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	in := tar.NewReader(unzipped)
	head, err := in.Next()
	if err != nil || head.Name != "comet_1/comet" || head.Mode != 0o755 || !head.ModTime.Equal(date) || head.Uid != 0 {
		t.Errorf("%+v, %v", head, err)
	}
	if content, err := io.ReadAll(in); err != nil || string(content) != "program" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]string{
		"Apache License\n   Version 2.0, January 2004": "Apache-2.0",
		"Permission is hereby granted, free of charge, to\nany person\nTHE SOFTWARE IS PROVIDED “AS\nIS”, WITHOUT WARRANTY": "MIT",
		"Redistribution and use in source and binary\nforms ... to endorse or promote":                                      "BSD-3-Clause",
		"Redistribution and use in source and binary\nforms ...":                                                            "BSD-2-Clause",
		"GNU AFFERO GENERAL PUBLIC LICENSE Version 3":                                                                       "",
		"GNU GENERAL PUBLIC LICENSE Version 2, June 1991":                                                                   "",
		"Business Source License 1.1":                                                                                       "",
		"":                                                                                                                  "",
	} {
		if got := classify(text); got != want {
			t.Errorf("%.30q is %q, want %q", text, got, want)
		}
	}
}

func TestLicenseOfRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := licenseOf(dir); err == nil {
		t.Error("a module without a license has one")
	}
	if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte("GNU GENERAL PUBLIC LICENSE Version 3"), 0o600); err != nil {
		t.Fatal(err)
	}
	if id, _, err := licenseOf(dir); err == nil {
		t.Errorf("the license %q is allowed", id)
	}
}

// TestCheckLicenses: a list that lacks a module, or has one with another license, is
// not right.
func TestCheckLicenses(t *testing.T) {
	all := []dependency{{path: "a", license: "MIT"}, {path: "b", license: "Apache-2.0"}}
	for listed, says := range map[string]string{
		"a MIT\nb Apache-2.0\n":          "",
		"a MIT\n":                        "b Apache-2.0: it is in a binary and not in",
		"a MIT\nb MIT\n":                 "b Apache-2.0: it is in a binary and not in",
		"a MIT\nb Apache-2.0\nc GPL-3\n": "c GPL-3: it is in .dist/licenses.txt and in no binary",
	} {
		err := compareLicenses(listed, licenseList(all))
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: %v, want that it says %q", listed, err, says)
		}
	}
}

func TestParsePlatforms(t *testing.T) {
	if all, err := parsePlatforms(allPlatforms); err != nil || len(all) != 6 {
		t.Errorf("%v, %v", all, err)
	}
	for _, bad := range []string{"", "linux", "linux/386", "linux/amd64,"} {
		if _, err := parsePlatforms(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestBillNamesItself: the binary of this test is one that the go command has noted
// its modules in.
func TestBillNamesItself(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bill.json")
	o := options{}
	if err := o.writeBill(source{version: "v1.2.3", date: time.Unix(0, 0).UTC()}, self, path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"bomFormat": "CycloneDX"`, `"timestamp": "1970-01-01T00:00:00Z"`, `@v1.2.3"`, `"pkg:golang/std@`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("without %s:\n%s", want, text)
		}
	}
}
