package router

import (
	"fmt"
	"slices"
	"testing"
)

// TestFan: a connection gets the message once, however many of its ids it is for,
// and whichever way it logged in; other connections of those ids get it, too.
func TestFan(t *testing.T) {
	var l Local
	a, b := &recorder{}, &recorder{}
	ma, mb := l.Join(a), l.Join(b)
	ma.Login(Conn{1, 1}, 5)
	ma.Login(Conn{2, 1}, 5, 6, 7)
	ma.Login(Conn{3, 1}, 6)
	ma.Login(Conn{3, 1}, 7) // one by one
	mb.Login(Conn{1, 1}, 5)
	mb.Login(Conn{2, 1}, 6, 8)
	mustCheck(t, &l)
	fan := l.Fan([]byte("m"))
	var got []int
	for _, id := range []int64{4, 5, 6, 7} {
		reached, overrun := fan.Send(id)
		if overrun != 0 {
			t.Errorf("overrun %d", overrun)
		}
		got = append(got, reached)
	}
	if want := []int{0, 3, 2, 0}; !slices.Equal(got, want) {
		t.Errorf("reached %d, want %d", got, want)
	}
	if len(a.got) != 3 || len(b.got) != 2 {
		t.Errorf("delivered %v and %v", a.got, b.got)
	}
	if n, _ := l.Send(7, []byte("m")); n != 2 {
		t.Errorf("a message to one id reached %d, want 2", n)
	}
	ma.Logout(2, nil)
	ma.Logout(3, nil)
	ma.Login(Conn{3, 2}, 7) // one id now
	mustCheck(t, &l)
	if reached, _ := l.Fan([]byte("m")).Send(7); reached != 1 {
		t.Errorf("reached %d, want 1", reached)
	}
	full := l.Join(&recorder{full: true})
	full.Login(Conn{1, 1}, 9)
	if reached, overrun := l.Fan([]byte("m")).Send(9); reached != 0 || overrun != 1 {
		t.Errorf("a full inbox: reached %d, overrun %d", reached, overrun)
	}
}

func BenchmarkFan(b *testing.B) {
	for _, online := range []int{1, 10} {
		b.Run(fmt.Sprintf("online=%d%%", online), func(b *testing.B) {
			var l Local
			m := l.Join(sink{})
			const followers = 10_000
			for i := range followers * online / 100 {
				m.Login(Conn{uint32(i), 1}, int64(i*100/online))
			}
			for b.Loop() {
				fan := l.Fan([]byte("m"))
				for id := range int64(followers) {
					fan.Send(id)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*followers), "ns/follower")
		})
	}
}
