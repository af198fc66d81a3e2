package subscriptions

import (
	"bufio"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// childFile names the file that the test binary changes until it is killed.
const childFile = "SUBSCRIPTIONS_TEST_FILE"

// childRound is the number of the life of a child: each has changes of its own.
const childRound = "SUBSCRIPTIONS_TEST_ROUND"

// changers is how many goroutines change the file at a time.
const changers = 4

// changesOf returns the changes of one goroutine in one round.
func changesOf(round, changer int) (*rand.Rand, int64) {
	return rand.New(rand.NewPCG(uint64(round), uint64(changer))), int64(changer) * 100
}

// changeForever changes a file and prints the goroutine of each change when it is
// answered.
func changeForever(path string) {
	f, err := Open(path)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	round, _ := strconv.Atoi(os.Getenv(childRound))
	var changing sync.WaitGroup
	var out sync.Mutex
	for changer := range changers {
		changing.Go(func() {
			g := graph{}
			random, first := changesOf(round, changer)
			for {
				if _, err := g.step(random, first, 5)(f); err != nil {
					fmt.Println(err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Println("answered", changer)
				out.Unlock()
			}
		})
	}
	changing.Wait()
}

// TestKilled: a process that is killed at any moment of its changes leaves a file
// that opens and has every change that was answered, and of those that were not,
// at most the one that each goroutine was about.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "friends.db")
	states := make([]graph, changers) // as of the last round
	for i := range states {
		states[i] = graph{}
	}
	for round := range 12 {
		answered := killedWhileChanging(t, path, round, 1+round*7)
		f, err := Open(path)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		all := graph{}
		for changer := range states {
			states[changer] = stateIn(t, f, states[changer], round, changer, answered[changer])
			maps.Copy(all, states[changer])
		}
		if got := exported(t, f); got != all.lines() {
			t.Errorf("round %d: got\n%s\nwant\n%s", round, got, all.lines())
		}
		checkBoth(t, f, all)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killedWhileChanging runs a child, kills it after so many answers, and returns how
// many changes of each goroutine were answered.
func killedWhileChanging(t *testing.T, path string, round, answers int) (answered [changers]int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childFile+"="+path, childRound+"="+strconv.Itoa(round))
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		digits, ok := strings.CutPrefix(lines.Text(), "answered ")
		changer, err := strconv.Atoi(digits)
		if !ok || err != nil {
			t.Errorf("the child: %s", lines.Text())
			break
		}
		answered[changer]++
		if seen++; seen == answers {
			time.Sleep(time.Duration(round) * 300 * time.Microsecond) // into the midst of the next ones
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || seen < answers {
		t.Fatalf("the child ended by itself, %v, after %d answers of %d", err, seen, answers)
	}
	return answered
}

// stateIn returns what a goroutine's part of the file is after its answered changes,
// or after one more if the file has that.
func stateIn(t *testing.T, f *File, before graph, round, changer, answered int) graph {
	t.Helper()
	g := graph{}
	random, first := changesOf(round, changer)
	for follower, publishers := range before {
		g[follower] = maps.Clone(publishers)
	}
	for range answered {
		g.step(random, first, 5)
	}
	next := graph{}
	for follower, publishers := range g {
		next[follower] = maps.Clone(publishers)
	}
	next.step(random, first, 5)
	lines := exported(t, f)
	for _, state := range []graph{next, g} {
		whole := true
		for follower := first; follower < first+5; follower++ {
			var want strings.Builder
			if one := (graph{follower: state[follower]}); len(state[follower]) > 0 {
				want.WriteString(one.lines())
			}
			whole = whole && linesOf(lines, follower) == want.String()
		}
		if whole {
			return state
		}
	}
	t.Fatalf("round %d: of goroutine %d the file has neither %d nor %d changes:\n%s", round, changer, answered, answered+1, lines)
	return nil
}

// linesOf returns the lines of one follower.
func linesOf(lines string, follower int64) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		if strings.HasPrefix(line, fmt.Sprintf("%d\t", follower)) {
			b.WriteString(line)
		}
	}
	return b.String()
}
