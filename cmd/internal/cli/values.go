package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// count is a flag value that takes 10k and 1M.
type count int64

func (c *count) String() string { return strconv.FormatInt(int64(*c), 10) }
func (c *count) Type() string   { return "count" }

func (c *count) Set(s string) error {
	n, err := parseCount(s)
	if err == nil {
		*c = count(n)
	}
	return err
}

// parseCount reads a whole number with an optional k (thousand), M (million)
// or G: 10k, 1.5M.
func parseCount(s string) (int64, error) {
	digits, scale := s, 1.0
	if s != "" {
		switch s[len(s)-1] {
		case 'k', 'K':
			digits, scale = s[:len(s)-1], 1e3
		case 'm', 'M':
			digits, scale = s[:len(s)-1], 1e6
		case 'g', 'G':
			digits, scale = s[:len(s)-1], 1e9
		}
	}
	if scale == 1 {
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%q is not a count: write 10000, 10k or 1M", s)
		}
		return n, nil
	}
	f, err := strconv.ParseFloat(digits, 64)
	n := f * scale
	if err != nil || !(n >= 0 && n < 1<<53) || n != math.Trunc(n) {
		return 0, fmt.Errorf("%q is not a count: write 10000, 10k or 1M", s)
	}
	return int64(n), nil
}

// counts is a flag value of counts with commas between them: 10k,100k,1M.
type counts []count

func (c *counts) String() string {
	texts := make([]string, len(*c))
	for i := range *c {
		texts[i] = (*c)[i].String()
	}
	return strings.Join(texts, ",")
}

func (c *counts) Type() string { return "counts" }

func (c *counts) Set(s string) error {
	var all counts
	for text := range strings.SplitSeq(s, ",") {
		n, err := parseCount(strings.TrimSpace(text))
		if err != nil {
			return err
		}
		all = append(all, count(n))
	}
	*c = all
	return nil
}

func (c counts) ints() []int {
	all := make([]int, len(c))
	for i, n := range c {
		all[i] = int(n)
	}
	return all
}

// duration is a flag value in Go's notation that also takes days: 1d, 1d12h.
type duration time.Duration

func (d *duration) String() string { return time.Duration(*d).String() }
func (d *duration) Type() string   { return "duration" }

func (d *duration) Set(s string) error {
	v, err := parseDuration(s)
	if err == nil {
		*d = duration(v)
	}
	return err
}

func parseDuration(s string) (time.Duration, error) {
	if _, err := strconv.ParseFloat(s, 64); err == nil && s != "0" {
		return 0, fmt.Errorf("%q has no unit: write %ss", s, s)
	}
	days, rest, found := strings.Cut(s, "d")
	var total time.Duration
	if found {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || n < 0 || n > 36500 {
			return 0, fmt.Errorf("%q is not a duration: write 60s, 10m, 2h or 1d", s)
		}
		total = time.Duration(n * 24 * float64(time.Hour))
		if rest == "" {
			return total, nil
		}
	} else {
		rest = s
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration: write 60s, 10m, 2h or 1d", s)
	}
	return total + d, nil
}

// parseRate reads a number of events a second: 1000, 10k, 0.5.
func parseRate(s string) (float64, error) {
	rate, err := strconv.ParseFloat(s, 64)
	if n, countErr := parseCount(s); countErr == nil {
		rate, err = float64(n), nil
	}
	if err != nil || !(rate > 0) {
		return 0, fmt.Errorf("%q is not a rate: write 1000, 10k, 0.5 or max", s)
	}
	return rate, nil
}
