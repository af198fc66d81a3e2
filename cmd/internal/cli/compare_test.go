package cli

import (
	"strings"
	"testing"
)

func TestCompareTakesAShare(t *testing.T) {
	for text, want := range map[string]string{"0%": "0%", "10%": "10%", "12.5%": "12.5%", "250 %": "250%"} {
		o := new(compareOptions)
		if err := (&worseBy{&o.Config.Limit}).Set(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if got := (&worseBy{&o.Config.Limit}).String(); got != want {
			t.Errorf("%q reads %q, want %q", text, got, want)
		}
	}
	for text, says := range map[string]string{
		"10": `"10" has no unit: write 10%`, "": "write 10%", "%": "write 10%", "ten%": "write 10%", "-1%": "write 10%", "NaN%": "write 10%", "Inf%": "write 10%", "0.1": "write 0.1%",
	} {
		if why := refused(t, "compare", "a", "b", "--fail-if-worse="+text); !strings.Contains(why, says) {
			t.Errorf("%q is refused with %q, want %q", text, why, says)
		}
	}
}
