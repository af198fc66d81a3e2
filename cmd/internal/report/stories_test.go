package report

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/sysctl"
)

// story is an experiment that was never done, as a report would show it.
type story struct {
	connections, servers int
	rate                 float64
	// seconds of each phase: start, connect, idle, messages, drain
	phases  [5]float64
	step    float64 // from one moment to the next
	foreign bool
	storm   bool
	unpaced bool
}

// stories are kinds of runs whose pages must all be fit to be seen.
var stories = map[string]story{
	"usual":     {connections: 10_000, servers: 1, rate: 1000, phases: [5]float64{2, 1, 5, 60, 3}, step: 1},
	"million":   {connections: 1_000_000, servers: 50, rate: 5000, phases: [5]float64{6, 48, 30, 120, 5}, step: 1},
	"short":     {connections: 100, servers: 1, rate: 100, phases: [5]float64{0.4, 0.1, 1, 1, 0.5}, step: 1},
	"quiet":     {connections: 10_000, servers: 1, phases: [5]float64{2, 2, 30, 0, 0}, step: 1},
	"hour":      {connections: 50_000, servers: 3, rate: 1000, phases: [5]float64{3, 5, 5, 3580, 7}, step: 1},
	"storm":     {connections: 10_000, servers: 1, rate: 1000, phases: [5]float64{2, 1, 5, 60, 3}, step: 1, storm: true},
	"foreign":   {connections: 1000, servers: 0, rate: 500, phases: [5]float64{1, 1, 5, 30, 2}, step: 1, foreign: true},
	"unpaced":   {connections: 10_000, servers: 1, phases: [5]float64{2, 1, 5, 20, 3}, step: 1, unpaced: true},
	"interrupt": {connections: 10_000, servers: 1, rate: 1000, phases: [5]float64{2, 3, 0, 0, 0}, step: 1},
}

// tell returns the result and the timeline of a story.
func (s story) tell() (*result.Result, *result.Timeline) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // made up, and the same each time
	r := &result.Result{Verdict: "made up"}
	n := float64(s.connections)
	r.Connections = result.Connections{Asked: result.Of(n), Established: result.Of(n), Failed: result.Of(0), Closed: result.Of(0)}
	r.Connect = result.Connect{Seconds: result.Of(s.phases[1]), PerSecond: result.Of(n / max(s.phases[1], 0.01)), Latency: result.Quantiles{P50: result.Of(1.2), P90: result.Of(3.0), P99: result.Of(9.5), Max: result.Of(41.0)}}
	r.Histograms.FirstByte, r.Histograms.Connect = made(random, 1.2, 2), made(random, 0.8, 2)
	r.Processes = result.Processes{Engine: "epoll", Servers: result.Of(s.servers), Floods: result.Of(max(s.servers, 1))}
	if s.foreign {
		r.Processes = result.Processes{Target: "web1.example:8080", Floods: result.Of(1)}
	} else {
		r.Memory = result.Memory{RSSStart: result.Of(20 << 20), RSSIdle: result.Of(20<<20 + 72*n), RSSPeak: result.Of(21<<20 + 72*n), BytesPerConnection: result.Of(72), KernelBytesPerConnection: result.Of(4210)}
		r.CPU = result.CPU{Server: result.Of(4.39), Flood: result.Of(1.10), Msggen: result.Of(3.71)}
	}
	for i := range s.servers {
		for _, role := range []string{"server", "flood"} {
			r.Processes.List = append(r.Processes.List, result.Process{Role: role, Number: i + 1, PID: result.Of(1000 + i), Connections: result.Of(n / float64(s.servers)), RSSIdle: result.Of(22 << 20), MessagesCPU: result.Of(1.25)})
		}
	}
	switch {
	case s.unpaced:
		r.Service = &result.Quantiles{P50: result.Of(31.0), P90: result.Of(44.0), P99: result.Of(61.0), Max: result.Of(93.0)}
		r.Histograms.Service = made(random, 31, 0.3)
		r.Messages = result.Messages{Sent: result.Of(1_800_000), Expected: result.Of(1_800_000), Delivered: result.Of(1_800_000), DeliveredPerSecond: result.Of(90_112), Missing: result.Of(0)}
		r.LimitedBy = result.Limits{{Part: "the server", Evidence: "its <loop> was busy 99 % of the time"}}
	case s.rate > 0 && s.phases[3] > 0:
		sent := s.rate * s.phases[3]
		r.Latency = result.Latency{P50: result.Of(0.23), P90: result.Of(1.4), P99: result.Of(18.9), P999: result.Of(84.0), Max: result.Of(143.0)}
		r.Histograms.Latency = made(random, 0.23, 3)
		r.Messages = result.Messages{AskedPerSecond: result.Of(s.rate), Sent: result.Of(sent), Expected: result.Of(sent), Delivered: result.Of(sent), DeliveredPerSecond: result.Of(s.rate), Missing: result.Of(0)}
	}
	if s.storm {
		r.Reconnect = result.Reconnect{Dropped: result.Of(n), Left: result.Of(n), Attempts: result.Of(n * 1.3), Returned: result.Of(n), SecondsToP50: result.Of(1.4), SecondsToP99: result.Of(4.8), PeakPerSecond: result.Of(3300)}
	}
	if s.phases[2] == 0 {
		r.Interrupted, r.InterruptedBy = true, "interrupted by a signal"
	}
	r.Environment = &result.Environment{Time: "2026-11-26T15:28:00Z", Comet: "1.0", Go: "go1.26", Environment: sysctl.Environment{
		OS: "linux", Arch: "amd64", Kernel: "6.18.44", CPU: "AMD EPYC", Cores: 2, MemoryBytes: 24 << 30, OpenFiles: 20_000, HugePages: "madvise",
	}}
	if s.rate > 0 {
		for _, expr := range []string{"loss=0", "p99<10ms"} {
			var target result.Target
			if err := target.UnmarshalText([]byte(expr)); err != nil {
				panic(err)
			}
			r.Targets = append(r.Targets, result.Check(result.Targets{target}, r)...)
		}
	}
	r.Settings = map[string]any{"connections": s.connections, "rate": "1000", "duration": "1m0s", "seed": uint64(4780009734470424), "header": "TE: chunked\nX-Long: " + long}
	return r, s.timeline(random)
}

const long = "a-token-that-has-no-place-to-break-and-goes-on-and-on-and-on-and-on-and-on-and-on"

var phaseNames = [5]string{"start", "connect", "idle", "messages", "drain"}

// timeline returns what would have been seen.
func (s story) timeline(random *rand.Rand) *result.Timeline {
	t := &result.Timeline{Started: 1_795_716_000}
	n, open, delivered, ends := float64(s.connections), 0.0, 0.0, 0.0
	for i, length := range s.phases {
		begun := ends
		ends += length
		for at := math.Floor(begun/s.step)*s.step + s.step; at <= ends; at += s.step {
			m := result.Moment{Seconds: at, Phase: phaseNames[i], Closed: result.Of(0), Failed: result.Of(0), Machine: result.Of(3<<30 + 9000*open)}
			before := open
			if i > 1 && before == 0 && !s.storm {
				open = n // the phase in which they came had no moment
			}
			switch phaseNames[i] {
			case "connect":
				open = min(n, n*(at-begun)/length)
			case "messages":
				if s.storm && at == begun+20 {
					open = 0
				} else if s.storm && at > begun+20 {
					m.AttemptsPerSecond, m.Attempts = result.Of((n-open)*0.5), result.Of(1)
					open += (n - open) * 0.4
				}
				if s.rate > 0 {
					p50 := 0.2 * math.Exp(random.NormFloat64()*0.2)
					m.Latency = result.Quantiles{P50: result.Of(p50), P99: result.Of(p50 * 10 * math.Exp(random.NormFloat64()))}
				}
				m.DeliveredPerSecond = result.Of(max(s.rate, 90_000*b(s.unpaced)) * (1 + 0.01*random.NormFloat64()))
			case "drain":
				open = 0
			}
			m.Connected, m.ConnectedPerSecond = result.Of(open), result.Of(max(open-before, 0)/s.step)
			perSecond, _ := m.DeliveredPerSecond.Value()
			delivered += perSecond * s.step
			m.Delivered = result.Of(delivered)
			m.CPU = map[string]result.Figure{"flood": result.Of(0.04 + 0.01*random.Float64()), "msggen": result.Of(perSecond / 11_000)}
			if !s.foreign {
				m.Memory = result.Of(20<<20 + 72*open + 1e6*at/(ends+1))
				m.CPU["server"] = result.Of(perSecond / 9000 * (1 + 0.1*random.NormFloat64()))
			}
			t.Moments = append(t.Moments, m)
		}
	}
	return t
}

func b(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// made returns a distribution around a median of milliseconds.
func made(random *rand.Rand, median, spread float64) result.Histogram {
	h := hdrhistogram.New(1, 600_000_000, 3)
	for range 40_000 {
		_ = h.RecordValue(int64(1000 * median * math.Exp(math.Abs(random.NormFloat64())*spread*random.Float64()))) // within its range
	}
	text, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		panic(err)
	}
	return result.Histogram(text)
}

// series returns a series of steps, the first two of which are too small for
// memory to show.
func series() *result.Scale {
	s := &result.Scale{Settings: map[string]any{"rate": "1000"}}
	for i, n := range []int{100, 1000, 10_000, 100_000, 1_000_000} {
		r, _ := story{connections: n, servers: 1 + n/20_000, rate: 1000, phases: [5]float64{1, 1, 1, 10, 1}, step: 1}.tell()
		r.Memory.BytesPerConnection = result.Of(72 + 200_000/float64(n))
		r.Latency.P99 = result.Of(0.8 * float64(i+1))
		s.Asked, s.Environment = append(s.Asked, n), r.Environment
		s.Add("steps/"+result.Of(n).Text(result.UnitCount), r)
	}
	return s
}

// tellAll calls do for each story.
func tellAll(t *testing.T, do func(t *testing.T, r *result.Result, with Extras)) {
	t.Helper()
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			r, timeline := s.tell()
			do(t, r, Extras{Timeline: timeline, Command: []string{"comet", "bench", "--header", "TE: chunked"}})
		})
	}
}
