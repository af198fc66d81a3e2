package main

import (
	"archive/tar"
	"archive/zip"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// writeArchive writes files below a folder of the archive's name: a zip for Windows,
// a compressed tar for all others.
func writeArchive(path string, p platform, files []file, date time.Time) error {
	files = slices.SortedFunc(slices.Values(files), func(a, b file) int { return cmp.Compare(a.name, b.name) })
	folder := filepath.Base(path) + "/"
	suffix, write := ".tar.gz", writeTar
	if p.os == "windows" {
		suffix, write = ".zip", writeZip
	}
	out, err := os.Create(path + suffix)
	if err != nil {
		return err
	}
	return errors.Join(write(out, folder, files, date), out.Close())
}

func writeTar(w io.Writer, folder string, files []file, date time.Time) error {
	zipped, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	out := tar.NewWriter(zipped)
	for _, f := range files {
		head := &tar.Header{Name: folder + f.name, Mode: int64(f.mode), Size: int64(len(f.content)), ModTime: date, Format: tar.FormatUSTAR}
		if err := out.WriteHeader(head); err != nil {
			return err
		}
		if _, err := out.Write(f.content); err != nil {
			return err
		}
	}
	return errors.Join(out.Close(), zipped.Close())
}

func writeZip(w io.Writer, folder string, files []file, date time.Time) error {
	out := zip.NewWriter(w)
	for _, f := range files {
		head := &zip.FileHeader{Name: folder + f.name, Method: zip.Deflate, Modified: date}
		head.SetMode(f.mode)
		in, err := out.CreateHeader(head)
		if err != nil {
			return err
		}
		if _, err := in.Write(f.content); err != nil {
			return err
		}
	}
	return out.Close()
}

// sumsFile is the name of the checksums, as sha256sum -c reads them.
const sumsFile = "SHA256SUMS"

// writeSums writes the checksums of all that is in a folder.
func writeSums(folder string) error {
	entries, err := os.ReadDir(folder) // sorted
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, e := range entries {
		if e.IsDir() || !strings.HasPrefix(e.Name(), "comet") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), e.Name())
	}
	return os.WriteFile(filepath.Join(folder, sumsFile), []byte(sums.String()), 0o644)
}
