package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The size of the stress: many short lives on few file descriptors, which are
// used again all the time.
const (
	stressWorkers = 6   // who connect, stay a while and leave
	stressLives   = 100 // of each worker
	stressStayers = 8   // who are there when the server ends
	stressSenders = 2   // within the process; a third sends over HTTP
	stressShared  = 6   // ids that many have
	stressSlow    = 2   // who do not read
	privateIDs    = 1_000_000
)

// TestStress has clients log in, close, reset, read slowly and be there at the
// end, while others send, and holds what each got against a model: all that was
// sent while it was surely logged in, in the order of each sender, once, and
// numbered without a gap; nothing that was for anybody else, though file
// descriptors are used again at once. In the end goroutines and files are as
// before.
func TestStress(t *testing.T) {
	for _, policy := range []SlowPolicy{Drop, Disconnect} {
		t.Run("slow-client="+string(policy), func(t *testing.T) {
			bothEngines(t, func(t engineT) {
				start(t, Config{Engine: t.engine}).stop() // what the runtime opens once
				goroutines, files := goleak.IgnoreCurrent(), openFiles(t)
				stress(t, Config{Engine: t.engine, SlowClient: policy, BacklogBytes: 256 << 10, ConnectionLimit: 1 << 20, Heartbeat: leastHeartbeat, AccessLog: new(logBuffer), AccessLogSample: 3}, rand.Uint64())
				waitForFiles(t, files)
				if err := goleak.Find(goroutines); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// stressModel is what is known of who was there when, by one clock.
type stressModel struct {
	clock atomic.Int64

	mu    sync.Mutex
	lives []*stressLife
	sent  []stressMessage
}

// stressLife is one connection, by its own client.
type stressLife struct {
	private  int64   // an id that nobody else ever has
	ids      []int64 // all of them
	loggedIn int64   // the tick when its head had come
	leaving  int64   // the tick up to which all must have come; 0 if it left without reading
	atEnd    bool    // it was there when the server ended
	got      []stressMessage
	err      error
}

type stressMessage struct {
	sender, n    int
	id           int64
	begun, ended int64 // ticks around its sending
}

func (m *stressModel) tick() int64 { return m.clock.Add(1) }

// newLife takes a private id and some shared ones.
func (m *stressModel) newLife(r *rand.Rand) *stressLife {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &stressLife{private: privateIDs + int64(len(m.lives))}
	l.ids = []int64{l.private}
	for _, id := range r.Perm(stressShared)[:r.IntN(3)] {
		l.ids = append(l.ids, int64(id))
	}
	m.lives = append(m.lives, l)
	return l
}

// someID is a shared one, or the private one of somebody who has come or gone
// lately.
func (m *stressModel) someID(r *rand.Rand) int64 {
	if r.IntN(3) == 0 {
		return int64(r.IntN(stressShared))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.lives)
	return privateIDs + int64(max(0, n-1-r.IntN(3*stressWorkers)))
}

func (m *stressModel) record(s ...stressMessage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = append(m.sent, s...)
}

// text names the sender, its count and the addressee.
func (s stressMessage) text() string { return fmt.Sprintf("%d.%d to %d", s.sender, s.n, s.id) }

func stress(tb testing.TB, cfg Config, seed uint64) {
	tb.Helper()
	defer func() {
		if tb.Failed() {
			tb.Logf("seed %d (which does not decide how goroutines meet)", seed)
		}
	}()
	r := start(tb, cfg)
	m := new(stressModel)
	var clients, senders, stayers sync.WaitGroup
	var slow []int64
	leaving := make(chan struct{}) // the workers are done
	ending := make(chan struct{})  // the server ends
	random := func(n int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(n))) }
	var settled sync.WaitGroup
	for i := range stressSlow {
		l := m.newLife(random(i))
		l.ids = l.ids[:1]
		stayers.Go(func() { l.err = r.liveSlowly(m, l, settled.Done, ending) })
		settled.Add(1)
		slow = append(slow, l.private)
	}
	for i := range stressStayers {
		l := m.newLife(random(10 + i))
		settled.Add(1)
		stayers.Go(func() { l.err = r.liveToTheEnd(m, l, settled.Done) })
	}
	settled.Wait()
	for _, id := range slow {
		senders.Go(func() { r.sendMuch(id) })
	}
	for i := range stressWorkers {
		rnd := random(20 + i)
		clients.Go(func() {
			for range stressLives {
				l := m.newLife(rnd)
				l.err = r.liveAndLeave(m, l, rnd)
			}
		})
	}
	for i := range stressSenders {
		rnd := random(40 + i)
		senders.Go(func() { r.sendSome(m, i, rnd, leaving) })
	}
	web := make(chan uint64, 1)
	go func() { web <- r.sendLines(m, stressSenders, random(60)) }()
	clients.Wait()
	close(leaving)
	senders.Wait()
	end := m.tick()
	close(ending)
	r.cancel() // in the middle of what comes over HTTP
	taken := <-web
	stayers.Wait()
	r.ended()
	if s := r.Stats(); s.DroppedSlow == 0 || (s.Disconnected == stressSlow) != (cfg.SlowClient == Disconnect) {
		tb.Errorf("nobody was slow, or was treated otherwise: %+v", s)
	}
	m.check(tb, end, taken)
}

// open connects and reads the head of the stream.
func (l *stressLife) open(r *running, m *stressModel) (net.Conn, *bufio.Reader, error) {
	conn, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	conn.(*net.TCPConn).SetReadBuffer(256 << 10) // else the kernel takes up to 32 MiB for who does not read
	var path []string
	for _, id := range l.ids {
		path = append(path, strconv.FormatInt(id, 10))
	}
	fmt.Fprintf(conn, "GET /test/%s HTTP/1.1\r\nHost: h\r\n\r\n", strings.Join(path, ","))
	br := bufio.NewReader(conn)
	head := make([]byte, len(html11))
	if _, err := io.ReadFull(br, head); err != nil || string(head) != html11 {
		conn.Close()
		return nil, nil, fmt.Errorf("the head was %q: %w", head, err)
	}
	l.loggedIn = m.tick()
	return conn, br, nil
}

var stressChunk = regexp.MustCompile(`^Recvd msg #(\d+): '(?:(\d+)\.(\d+) to (\d+)|(bye)|(s+))'<br/>$`)

// read takes one chunk. It reports false at the last one, and at a farewell.
func (l *stressLife) read(br *bufio.Reader, n int) (goOn bool, err error) {
	line, err := br.ReadString('\n')
	if err != nil {
		return false, fmt.Errorf("after %d messages %q: %w", n-1, line, err)
	}
	size, err := strconv.ParseUint(strings.TrimSuffix(line, "\r\n"), 16, 32)
	if err != nil {
		return false, err
	}
	body := make([]byte, size+2)
	if _, err := io.ReadFull(br, body); err != nil {
		return false, fmt.Errorf("in message %d: %w", n, err)
	}
	if size == 0 {
		if rest, err := io.ReadAll(br); err != nil || len(rest) > 0 || string(body) != "\r\n" {
			return false, fmt.Errorf("behind the last chunk %q: %w", rest, err)
		}
		return false, nil
	}
	f := stressChunk.FindStringSubmatch(strings.TrimSuffix(string(body), "\r\n"))
	if f == nil {
		return false, fmt.Errorf("a message %q", body)
	}
	if f[1] != strconv.Itoa(n) {
		return false, fmt.Errorf("message #%s where #%d should be", f[1], n)
	}
	if f[2] == "" {
		return f[5] == "", nil
	}
	var s stressMessage
	s.sender, _ = strconv.Atoi(f[2])
	s.n, _ = strconv.Atoi(f[3])
	s.id, _ = strconv.ParseInt(f[4], 10, 64)
	l.got = append(l.got, s)
	return true, nil
}

// liveAndLeave stays for some messages, and goes in one of the ways there are.
func (r *running) liveAndLeave(m *stressModel, l *stressLife, rnd *rand.Rand) error {
	conn, br, err := l.open(r, m)
	if err != nil {
		return err
	}
	defer conn.Close()
	tcp := conn.(*net.TCPConn)
	if rnd.IntN(3) == 0 { // gone without a word, and without reading
		tcp.SetLinger(rnd.IntN(2) - 1) // -1: as usual; 0: by an RST
		return nil
	}
	// Everything sent up to here must come before the farewell does.
	l.leaving = m.tick()
	if n := r.publish(l.private, "bye"); n != 1 {
		return fmt.Errorf("%d is logged in %d times", l.private, n)
	}
	for n := 1; ; n++ {
		goOn, err := l.read(br, n)
		if err != nil {
			return err
		}
		if !goOn {
			break
		}
	}
	switch rnd.IntN(3) {
	case 0:
		tcp.SetLinger(0)
	case 1:
		tcp.CloseWrite()
		_, err = io.Copy(io.Discard, br)
	}
	return err
}

func (r *running) liveToTheEnd(m *stressModel, l *stressLife, settled func()) error {
	conn, br, err := l.open(r, m)
	settled()
	if err != nil {
		return err
	}
	defer conn.Close()
	l.atEnd = true
	for n := 1; ; n++ {
		if goOn, err := l.read(br, n); !goOn || err != nil {
			return err
		}
	}
}

// liveSlowly reads nothing until the server ends. What then comes must be whole
// all the same, as far as it goes.
func (r *running) liveSlowly(m *stressModel, l *stressLife, settled func(), ending <-chan struct{}) error {
	conn, br, err := l.open(r, m)
	settled()
	if err != nil {
		return err
	}
	defer conn.Close()
	<-ending
	for n := 1; ; n++ {
		goOn, err := l.read(br, n)
		switch {
		case r.core.SlowClient == Disconnect && err != nil && !errors.Is(err, strconv.ErrSyntax):
			return nil // cut off, somewhere
		case !goOn || err != nil:
			return err
		}
	}
}

// sendSome sends to many ids, and lets it go in batches.
func (r *running) sendSome(m *stressModel, sender int, rnd *rand.Rand, leaving <-chan struct{}) {
	p := newPublisher(r.core)
	var sent []stressMessage
	for n := 1; ; n++ {
		select {
		case <-leaving:
			r.flush(p)
			m.record(sent...)
			return
		default:
		}
		s := stressMessage{sender: sender, n: n, id: m.someID(rnd), begun: m.tick()}
		p.send(s.id, []byte(s.text()))
		s.ended = m.tick()
		sent = append(sent, s)
		if rnd.IntN(3) == 0 { // often a single one, which who flushes writes for a loop
			r.flush(p)
		}
		if n%8 == 0 {
			time.Sleep(time.Millisecond) // the clients of this test are slower than the server
		}
	}
}

func (r *running) flush(p *publisher) {
	if err := p.flush(r.t.Context()); err != nil {
		r.t.Error(err)
	}
}

// sendMuch is more than a client that does not read can take.
func (r *running) sendMuch(id int64) {
	p := newPublisher(r.core)
	message := []byte(strings.Repeat("s", 32<<10))
	for range 300 {
		p.send(id, message)
		r.flush(p)
	}
}

// sendLines sends over HTTP until the server ends, and returns how many lines
// it says that it took.
func (r *running) sendLines(m *stressModel, sender int, rnd *rand.Rand) (taken uint64) {
	body, lines := io.Pipe()
	go func() {
		var sent []stressMessage
		for n := 1; ; n++ {
			s := stressMessage{sender: sender, n: n, id: m.someID(rnd), begun: m.tick(), ended: 1 << 62}
			if _, err := fmt.Fprintf(lines, "%d %s\n", s.id, s.text()); err != nil {
				m.record(sent...)
				return
			}
			sent = append(sent, s)
			if n%8 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	resp, err := r.web.Post("http://"+r.AdminAddr().String()+"/send", "text/plain", body)
	if err != nil {
		r.t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	defer body.Close()
	text, err := io.ReadAll(resp.Body)
	var sent uint64
	if _, e := fmt.Sscanf(string(text), `{"sent":%d,`, &sent); e != nil || err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		r.t.Errorf("the lines were answered %d %q", resp.StatusCode, text)
	}
	return sent
}

// check holds every life against the model.
func (m *stressModel) check(tb testing.TB, end int64, taken uint64) {
	tb.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	byID := map[int64][]stressMessage{}
	for _, s := range m.sent {
		byID[s.id] = append(byID[s.id], s)
	}
	must, got := 0, 0
	for _, l := range m.lives {
		if l.err == nil {
			l.err = l.checkOrder(taken)
		}
		n, err := l.checkAll(byID, end, taken)
		if l.err == nil {
			l.err = err
		}
		must += n
		got += len(l.got)
		if l.err != nil {
			tb.Errorf("connection %d, logged in as %d from tick %d to %d: %v", l.private, l.ids, l.loggedIn, l.leaving, l.err)
		}
	}
	if must < stressLives {
		tb.Errorf("only %d of %d messages had to arrive anywhere: this tested little", must, len(m.sent))
	}
	tb.Logf("%d lives, %d messages sent, %d had to arrive, %d did", len(m.lives), len(m.sent), must, got)
}

// checkOrder: each message is for one of the connection's ids, and later than
// the one before of the same sender.
func (l *stressLife) checkOrder(taken uint64) error {
	last := map[int]int{}
	for _, s := range l.got {
		if !slices.Contains(l.ids, s.id) {
			return fmt.Errorf("it got %q", s.text())
		}
		if s.n <= last[s.sender] {
			return fmt.Errorf("%q came after number %d of that sender", s.text(), last[s.sender])
		}
		last[s.sender] = s.n
	}
	if n := last[stressSenders]; uint64(n) > taken {
		return fmt.Errorf("line %d was delivered, though the answer to its sender was that %d were taken", n, taken)
	}
	return nil
}

// checkAll: everything that was sent while it was surely there has arrived. It
// returns how many that were.
func (l *stressLife) checkAll(byID map[int64][]stressMessage, end int64, taken uint64) (must int, err error) {
	until := l.leaving
	if l.atEnd {
		until = end
	}
	if until == 0 {
		return 0, nil
	}
	got := map[[2]int]bool{}
	for _, s := range l.got {
		got[[2]int{s.sender, s.n}] = true
	}
	for _, id := range l.ids {
		for _, s := range byID[id] {
			sure := s.ended < until
			if s.sender == stressSenders { // when a line was taken is known of all in the end
				sure = l.atEnd && uint64(s.n) <= taken
			}
			if !sure || s.begun < l.loggedIn {
				continue
			}
			must++
			if !got[[2]int{s.sender, s.n}] {
				err = fmt.Errorf("it missed %q, sent from tick %d to %d", s.text(), s.begun, s.ended)
			}
		}
	}
	return must, err
}
