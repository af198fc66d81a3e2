package sockdiag

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Addresses in these files stand in the byte order of the machine.
func skipBigEndian(t *testing.T) {
	t.Helper()
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		t.Skip("the example was taken on a little-endian machine")
	}
}

const procTCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 27 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F40 0200007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 28 1 0000000000000000 20 4 30 10 -1
   2: 0200007F:9C40 0100007F:1F40 01 00000000:00000000 00:00000000 00000000     0        0 29 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:1F40 0300007F:9C41 08 00000000:00000000 00:00000000 00000000     0        0 30 1 0000000000000000 20 4 30 10 -1
   4: 0100007F:1F40 0300007F:9C42 0C 00000000:00000000 00:00000000 00000000     0        0 0 1 0000000000000000 20 4 30 10 -1
`

const procTCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0000000000000000FFFF00000100007F:1F40 0000000000000000FFFF00000200007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 31 1 0000000000000000 20 4 30 10 -1
   1: 00000000000000000000000001000000:1F40 00000000000000000000000001000000:9C40 01 00000000:00000000 00:00000000 00000000     0        0 32 1 0000000000000000 20 4 30 10 -1
`

func TestCountProc(t *testing.T) {
	skipBigEndian(t)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all := []State{Established, CloseWait, SynRecv, Listen}
	if _, err := countProc(dir, nil, all...); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without files: %v", err)
	}
	write("tcp", procTCP)
	if got, err := countProc(dir, nil, Established); err != nil || got[Established] != 2 {
		t.Errorf("without IPv6: %v, %v", got, err)
	}
	write("tcp6", procTCP6)
	tests := []struct {
		filters string
		want    Counts
	}{
		{"", Counts{Established: 4, CloseWait: 1, SynRecv: 1, Listen: 1}},
		{"8000", Counts{Established: 3, CloseWait: 1, SynRecv: 1, Listen: 1}},
		{"127.0.0.1:8000", Counts{Established: 2, CloseWait: 1, SynRecv: 1, Listen: 1}},
		{"[::1]:8000", Counts{Established: 1}},
		{"[::1]:8000 8000", Counts{Established: 3, CloseWait: 1, SynRecv: 1, Listen: 1}},
		{"127.0.0.2", Counts{Established: 1}},
		{"9", Counts{}},
	}
	for _, tt := range tests {
		var filters []Filter
		for s := range strings.FieldsSeq(tt.filters) {
			f, err := ParseFilter(s)
			if err != nil {
				t.Fatal(err)
			}
			filters = append(filters, f)
		}
		if got, err := countProc(dir, filters, all...); err != nil || got != tt.want {
			t.Errorf("%q: %v, %v; want %v", tt.filters, got, err, tt.want)
		}
	}
	write("tcp6", procTCP6+"   2: 00\n")
	if got, err := countProc(dir, nil, all...); err == nil || !strings.Contains(err.Error(), "line 4") {
		t.Errorf("a broken line: %v, %v", got, err)
	}
}

func TestStatesMustBeNamed(t *testing.T) {
	for _, states := range [][]State{nil, {0}, {Established, numStates}} {
		if _, err := countProc(t.TempDir(), nil, states...); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("states %v: %v", states, err)
		}
	}
	if Established.String() != "established" || Closing.String() != "closing" || State(99).String() != "state 99" {
		t.Errorf("names: %v %v %v", Established, Closing, State(99))
	}
}

func FuzzCountLines(f *testing.F) {
	f.Add([]byte(procTCP))
	f.Add([]byte(procTCP6))
	f.Fuzz(func(t *testing.T, data []byte) {
		const every = 1<<numStates - 2
		counts, err := countLines(strings.NewReader(string(data)), nil, every)
		if err != nil {
			return
		}
		var sum int64
		for _, n := range counts {
			sum += n
		}
		lines := int64(strings.Count(strings.TrimSuffix(string(data), "\n"), "\n"))
		if sum != lines {
			t.Fatalf("%d sockets in %d lines", sum, lines)
		}
	})
}
