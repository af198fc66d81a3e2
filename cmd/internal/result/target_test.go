package result_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

func targetOf(t *testing.T, text string) result.Target {
	t.Helper()
	var target result.Target
	if err := target.UnmarshalText([]byte(text)); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return target
}

// with returns a result in which one figure is measured.
func with(key string, value float64) *result.Result {
	r := new(result.Result)
	set(reflect.ValueOf(r).Elem(), strings.Split(key, "."), value)
	return r
}

func set(v reflect.Value, path []string, value float64) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if len(path) == 0 {
		v.Set(reflect.ValueOf(result.Of(value)))
		return
	}
	for i := range v.NumField() {
		if key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); key == path[0] {
			set(v.Field(i), path[1:], value)
		}
	}
}

// derived makes figures that are not in the file come to 7, or 7 %.
var derived = map[string]func(r *result.Result){
	"errors": func(r *result.Result) {
		r.Connections.Failed, r.Connections.Closed = result.Of(7), result.Of(0)
	},
	"loss": func(r *result.Result) { r.Messages.Missing, r.Messages.Expected = result.Of(7), result.Of(100) },
	"cpu": func(r *result.Result) {
		r.CPU.Server, r.Messages.Delivered, r.Messages.DeliveredPerSecond = result.Of(70), result.Of(100), result.Of(10)
	},
	"connect.server_cpu_seconds_per_10k": func(r *result.Result) {
		r.Connect.ServerCPUSeconds, r.Connections.Established = result.Of(7), result.Of(10_000)
	},
	"connect.flood_cpu_seconds_per_10k": func(r *result.Result) {
		r.Connect.FloodCPUSeconds, r.Connections.Established = result.Of(7), result.Of(10_000)
	},
	"cpu_us_per_message.server": func(r *result.Result) { r.CPU.Server, r.Messages.Delivered = result.Of(7), result.Of(1e6) },
	"cpu_us_per_message.flood":  func(r *result.Result) { r.CPU.Flood, r.Messages.Delivered = result.Of(7), result.Of(1e6) },
	"cpu_us_per_message.router": func(r *result.Result) { r.CPU.Router, r.Messages.Delivered = result.Of(7), result.Of(1e6) },
}

// TestEachKeyCanBeATarget: of every figure of result.json, by the tags of its
// structs, and of every one that is derived. Each is met by its value with the unit,
// by nothing less, and never if it was not measured.
func TestEachKeyCanBeATarget(t *testing.T) {
	units := map[result.Unit]string{
		result.UnitCount: "7", result.UnitPerSecond: "7/s", result.UnitBytes: "7B", result.UnitSeconds: "7s", result.UnitMillis: "7ms",
		result.UnitMicros: "7us", result.UnitShare: "7%", result.UnitCores: "7",
	}
	results := make(map[string]*result.Result)
	for _, key := range numericKeys("", reflect.TypeFor[result.Result]()) {
		results[key] = with(key, 7)
	}
	for key, make7 := range derived {
		results[key] = new(result.Result)
		make7(results[key])
	}
	for _, m := range result.Catalogue() {
		r := results[m.Key]
		if r == nil {
			t.Errorf("%s is neither in the file nor derived", m.Key)
			continue
		}
		value := units[m.Unit]
		targets := result.Targets{targetOf(t, m.Key+"="+value), targetOf(t, m.Key+">="+value), targetOf(t, m.Key+" < "+value), targetOf(t, m.Key+">0")}
		for i, want := range []bool{true, true, false, true} {
			got := result.Check(targets, r)[i]
			if figure, known := got.Figure.Value(); got.Held != want || got.Key != m.Key || !known || figure != 7 && figure != 0.07 {
				t.Errorf("%s: %+v, want %v", targets[i], got, want)
			}
		}
		for _, one := range append(targets, targets[2].Not(), targetOf(t, m.Key+"!=0")) {
			if got := result.Check(result.Targets{one}, new(result.Result))[0]; got.Held || got.By != (result.Figure{}) || !strings.Contains(got.String(), "was not measured") {
				t.Errorf("%s is met by nothing: %+v, %s", one, got, got)
			}
		}
		delete(results, m.Key)
	}
	for key := range results {
		t.Errorf("%s cannot be a target", key)
	}
}

func TestTargetNames(t *testing.T) {
	names := result.TargetNames()
	seen := make(map[string]bool)
	for _, name := range names {
		if _, ok := result.Lookup(name); !ok || seen[name] {
			t.Errorf("%s is unknown, or there twice", name)
		}
		seen[name] = true
	}
	for name := range strings.FieldsSeq("p50 p90 p99 p99.9 max loss missing errors rss cpu per_connection latency_ms.p99 memory.rss_peak_bytes") {
		if !seen[name] {
			t.Errorf("%s is not offered", name)
		}
	}
	if want := len(result.Catalogue()) + 8; len(names) != want {
		t.Errorf("%d names, want %d", len(names), want)
	}
}

// TestTargetValues: units are those of the figure, and what they come to is exact.
func TestTargetValues(t *testing.T) {
	for _, tt := range []struct {
		text, key string
		value     float64 // the figure that it equals
	}{
		{"p50=50ms", "latency_ms.p50", 50},
		{"p90=1.5s", "latency_ms.p90", 1500},
		{"p99 = 100us", "latency_ms.p99", 0.1},
		{"p99=100µs", "latency_ms.p99", 0.1},
		{"p99=100μs", "latency_ms.p99", 0.1},
		{"p99=.5ms", "latency_ms.p99", 0.5},
		{"p99.9=1m30s", "latency_ms.p999", 90_000},
		{"max=1d", "latency_ms.max", 86_400_000},
		{"max=0", "latency_ms.max", 0},
		{"max=0s", "latency_ms.max", 0},
		{"reconnect.seconds_to_p99=1h", "reconnect.seconds_to_p99", 3600},
		{"connect.seconds=250ms", "connect.seconds", 0.25},
		{"connect.seconds = 1m 30s", "connect.seconds", 90},
		{"missing=10k", "messages.missing", 10_000},
		{"missing=1.5k", "messages.missing", 1500},
		{"missing=1M", "messages.missing", 1e6},
		{"connections.failed=12", "connections.failed", 12},
		{"connect.per_second=10k/s", "connect.per_second", 10_000},
		{"connect.per_second=1000 /s", "connect.per_second", 1000},
		{"connect.per_second=0.5", "connect.per_second", 0.5},
		{"rss=200MB", "memory.rss_peak_bytes", 200e6},
		{"rss=1.5GiB", "memory.rss_peak_bytes", 1.5 * (1 << 30)},
		{"rss=1TB", "memory.rss_peak_bytes", 1e12},
		{"per_connection=100B", "memory.bytes_per_connection", 100},
		{"per_connection=5 KB", "memory.bytes_per_connection", 5000},
		{"per_connection=4KiB", "memory.bytes_per_connection", 4096},
	} {
		target := targetOf(t, tt.text)
		if got := result.Check(result.Targets{target}, with(tt.key, tt.value))[0]; !got.Held || got.Key != tt.key {
			t.Errorf("%s: %+v, want %v of %s", tt.text, got, tt.value, tt.key)
		}
		if got := result.Check(result.Targets{target}, with(tt.key, math.Nextafter(tt.value, 1e300)))[0]; got.Held {
			t.Errorf("%s is met by a little more", tt.text)
		}
		if again := targetOf(t, target.String()); again != target || strings.Contains(target.String(), " ") {
			t.Errorf("%s is written as %s, which reads as %s", tt.text, target, again)
		}
	}
	for text, missing := range map[string]float64{"loss<=0.7%": 7, "loss=0.1%": 1, "loss>=0": 0, "loss=100%": 1000, "loss<1 %": 9} {
		r := new(result.Result)
		r.Messages.Missing, r.Messages.Expected = result.Of(missing), result.Of(1000)
		if got := result.Check(result.Targets{targetOf(t, text)}, r)[0]; !got.Held {
			t.Errorf("%s of %v in 1000: %+v", text, missing, got)
		}
	}
}

func TestTargetOperators(t *testing.T) {
	for _, tt := range []struct {
		op               string
		less, same, more bool
		not              string
	}{
		{"<", true, false, false, ">="},
		{"<=", true, true, false, ">"},
		{">", false, false, true, "<="},
		{">=", false, true, true, "<"},
		{"=", false, true, false, "!="},
		{"!=", true, false, true, "="},
	} {
		target := targetOf(t, "errors"+tt.op+"5")
		if got := target.Not().String(); got != "errors"+tt.not+"5" || target.Not().Not() != target {
			t.Errorf("not %s is %s", target, got)
		}
		for i, want := range []bool{tt.less, tt.same, tt.more} {
			r := with("connections.failed", float64(4+i))
			r.Connections.Closed = result.Of(0)
			for _, one := range []struct {
				result.Target
				want bool
			}{{target, want}, {target.Not(), !want}} {
				got := result.Check(result.Targets{one.Target}, r)[0]
				by, known := got.By.Value()
				if got.Held != one.want || known == one.want || known && by != math.Abs(float64(i-1)) {
					t.Errorf("%d errors, %s: %+v, want %v", 4+i, one.Target, got, one.want)
				}
			}
		}
	}
}

// TestBadTargets refuses them with what to write instead.
func TestBadTargets(t *testing.T) {
	for text, says := range map[string]string{
		"":                                   "write a figure, an operator and a value in quotes",
		" ":                                  "in quotes",
		"p99":                                `"p99" is not a target: write a figure, an operator and a value in quotes, such as 'p99<50ms'`,
		"<50ms":                              "is not a target",
		"p99<":                               `p99: "" is not a duration: write 50ms`,
		"p99==50ms":                          `"==" is not an operator of "p99==50ms": write =`,
		"p99=<50ms":                          "write <=",
		"p99=>50ms":                          "write >=",
		"p99≤50ms":                           `"≤" is not an operator of "p99≤50ms": write <=`,
		"errors≠0":                           "write !=",
		"errors<>0":                          "write !=",
		"errors!0":                           "write !=",
		"p99<<50ms":                          "use <, <=, >, >=, = or !=",
		"p99< =50ms":                         "is not a duration",
		"p99<50":                             `p99: "50" has no unit: write 50ms`,
		"connect.seconds<5":                  `has no unit: write 5s`,
		"rss<200":                            `"200" has no unit: write 200B`,
		"loss<1":                             `"1" has no unit: write 1%`,
		"loss<0.01":                          `"0.01" has no unit: write 0.01%`,
		"cpu_us_per_message.server<12":       "write 12us",
		"rss<200mb":                          `"200mb" is not a size: write 500B, 200MB or 1GiB`,
		"rss<200MS":                          "is not a size",
		"rss<50ms":                           "is not a size",
		"p99<50MB":                           "is not a duration",
		"p99<1%":                             "is not a duration",
		"p99<50ms5":                          "is not a duration",
		"p99<1s,5":                           "is not a duration",
		"errors<1%":                          `"1%" is not a count: write 10, 10k or 1M`,
		"errors<1.5":                         "is not a count",
		"errors<5ms":                         "is not a count",
		"errors<1k5":                         "is not a count",
		"errors<1e3":                         "is not a count",
		"errors<0x10":                        "is not a count",
		"errors<1_000":                       "is not a count",
		"errors<1/2":                         "is not a count",
		"errors<NaN":                         "is not a count",
		"errors<Inf":                         "is not a count",
		"errors<-1":                          `"-1" is not a count`,
		"errors<+1":                          "is not a count",
		"errors=zero":                        "is not a count",
		"errors<.":                           "is not a count",
		"errors<1.2.3":                       "is not a count",
		"errors<" + strings.Repeat("9", 400): "is not a count",
		"p99<-50ms":                          "is not a duration",
		"p99<NaN":                            "is not a duration",
		"p99<infms":                          "is not a duration",
		"loss<101%":                          "is not a share of up to 100%",
		"loss<1%%":                           "is not a share",
		"cpu<150%":                           `"150%" is not a number of cores: write 1.5`,
		"connect.per_second>10/m":            "is not a rate",
		"latency_ms<50ms":                    "latency_ms is a group: write one of its figures: latency_ms.p50, latency_ms.p90,",
		"connect.latency_ms<5ms":             "is a group",
		"processes.engine=epoll":             "processes.engine is in result.json and cannot be a target",
		"verdict=0":                          "verdict is in result.json",
		"interrupted=0":                      "interrupted is in result.json",
		"environment.cores=2":                "environment.cores is in result.json",
		"settings.rate=5":                    "settings.rate is in result.json",
		"messages.dropped_by_reason.slow=0":  "is in result.json",
		"targets=0":                          "targets is in result.json",
		"p95<50ms":                           `there is no figure "p95"`,
		"P99<50ms":                           `there is no figure "P99"`,
		"latency_ms.p98<1s":                  "there is no figure",
		"latency_ms.p99.x<1s":                "there is no figure",
		"told=0":                             "there is no figure",
		"not p99<50ms":                       "there is no figure",
		"\x1b[31m<1":                         `there is no figure "\x1b[31m"`,
	} {
		kept := targetOf(t, "errors=0")
		err := kept.UnmarshalText([]byte(text))
		if err == nil || !strings.Contains(err.Error(), says) || kept != targetOf(t, "errors=0") {
			t.Errorf("%q: %v, %v; want %q", text, kept, err, says)
		}
		var unknown *result.UnknownKeyError
		if errors.As(err, &unknown) != strings.Contains(says, "there is no figure") {
			t.Errorf("%q: unknown is %v", text, unknown)
		}
	}
}

func FuzzTarget(f *testing.F) {
	for _, text := range []string{"p99<50ms", "loss = 0", "rss<=1.5GiB", "connect.seconds>1m30s", "errors!=10k", "cpu<1.5"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var target, again result.Target
		if target.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(target.String())); err != nil || again != target {
			t.Errorf("%q is written as %q: %v", text, target, err)
		}
	})
}

// TestTargetIsWrittenAsItWasRead: the parts of a bench on other hosts are told targets as
// text, and read the same.
func TestTargetIsWrittenAsItWasRead(t *testing.T) {
	for _, text := range []string{"p99<50ms", "loss=0", "connections.failed<=10k", "rss<1.5GiB", "cpu!=2"} {
		written, err := targetOf(t, text).MarshalText()
		if err != nil || string(written) != text {
			t.Errorf("%s is written as %q, %v", text, written, err)
		}
	}
}
