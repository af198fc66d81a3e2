// Command release builds what people take home of comet: a static binary for each
// platform in an archive with manual pages, completions and unit files, packages for
// Debian, Red Hat and Alpine, a bill of materials for each binary, and checksums. Two
// builds of one commit have the same bytes, wherever they are made.
//
//	go run -C .dist/release . -out ../../dist
//
// It needs git and Go, and with -packages the pinned nfpm.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// options are what a release is made of.
type options struct {
	root      string // the tree of comet
	out       string
	platforms []platform
	packages  bool
	tags      string

	modules []dependency
}

func run(args []string) error {
	var o options
	set := flag.NewFlagSet("release", flag.ContinueOnError)
	set.StringVar(&o.root, "root", "../..", "the `folder` of comet's source")
	set.StringVar(&o.out, "out", "../../dist", "the `folder` to write to; what it holds of an earlier release is replaced")
	platforms := set.String("platforms", allPlatforms, "`LIST` of os/arch")
	set.BoolVar(&o.packages, "packages", true, "make deb, rpm and apk of the linux binaries as well")
	set.StringVar(&o.tags, "tags", "", "build `TAGS`: nonats leaves the router out")
	check := set.Bool("check-licenses", false, "only hold .dist/licenses.txt against the licenses of all modules")
	write := set.Bool("write-licenses", false, "only write .dist/licenses.txt")
	err := set.Parse(args)
	if err != nil {
		return err
	}
	if o.platforms, err = parsePlatforms(*platforms); err != nil {
		return err
	}
	if o.root, err = filepath.Abs(o.root); err == nil {
		o.out, err = filepath.Abs(o.out)
	}
	if err != nil {
		return err
	}
	if *check || *write {
		return o.checkLicenses(*write)
	}
	return o.release()
}

// release makes it all.
func (o options) release() error {
	src, err := readSource(o.root)
	if err != nil {
		return err
	}
	if strings.HasSuffix(src.commit, dirty) {
		fmt.Fprintln(os.Stderr, "release: files are changed: this is no commit's release")
	}
	if o.modules, err = o.dependencies(); err != nil {
		return err
	}
	if err := removeOld(o.out); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "comet-release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	common, err := o.commonFiles(src, work)
	if err != nil {
		return err
	}
	for _, p := range o.platforms {
		if err := o.platform(src, p, work, common); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return writeSums(o.out)
}

// platform makes what there is for one platform.
func (o options) platform(src source, p platform, work string, common []file) error {
	binary := filepath.Join(work, p.os+"-"+p.arch, "comet"+p.suffix())
	if err := o.build(src, p, binary); err != nil {
		return err
	}
	files, err := o.platformFiles(p, binary, common)
	if err != nil {
		return err
	}
	name := "comet_" + strings.TrimPrefix(src.version, "v") + "_" + p.os + "_" + p.arch
	if err := writeArchive(filepath.Join(o.out, name), p, files, src.date); err != nil {
		return err
	}
	if err := o.writeBill(src, binary, filepath.Join(o.out, name+".cdx.json")); err != nil {
		return err
	}
	if p.os != "linux" || !o.packages {
		return nil
	}
	return o.makePackages(src, p, filepath.Join(work, p.os+"-"+p.arch, "tree"), files)
}

// removeOld removes what an earlier release left, and makes the folder.
func removeOld(out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, pattern := range []string{"comet_*", "comet-*", sumsFile} {
		old, _ := filepath.Glob(filepath.Join(out, pattern)) // the patterns are well formed
		for _, path := range old {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}
