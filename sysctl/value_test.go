package sysctl

import (
	"encoding/json"
	"testing"
)

func TestValue(t *testing.T) {
	tests := []struct {
		v          Value
		text, json string
	}{
		{Unknown, "unknown", "null"},
		{Unlimited, "unlimited", "9223372036854775807"},
		{0, "0", "0"},
		{999, "999", "999"},
		{1000, "1,000", "1000"},
		{123456, "123,456", "123456"},
		{1234567, "1,234,567", "1234567"},
	}
	for _, tt := range tests {
		if got := tt.v.String(); got != tt.text {
			t.Errorf("String of %d is %q, want %q", int64(tt.v), got, tt.text)
		}
		b, err := json.Marshal(tt.v)
		if err != nil || string(b) != tt.json {
			t.Errorf("JSON of %d is %s, %v; want %s", int64(tt.v), b, err, tt.json)
		}
		var back Value
		if err := json.Unmarshal(b, &back); err != nil || back != tt.v {
			t.Errorf("%s reads back as %d, %v", b, int64(back), err)
		}
	}
	var v Value
	if err := json.Unmarshal([]byte(`"many"`), &v); err == nil {
		t.Error("a word was read as a value")
	}
}

func TestSize(t *testing.T) {
	for bytes, want := range map[Value]string{
		Unknown: "unknown", 512: "0.5 KiB", 5018: "4.9 KiB", 1 << 20: "1.0 MiB",
		24684084 * 1024: "23.5 GiB", 3 << 40: "3.0 TiB", Unlimited: "unlimited",
	} {
		if got := size(bytes); got != want {
			t.Errorf("size(%d) = %q, want %q", int64(bytes), got, want)
		}
	}
}

func TestSaturating(t *testing.T) {
	for _, tt := range []struct{ a, b, want Value }{
		{0, Unlimited, 0}, {3, 4, 12}, {Unlimited, 2, Unlimited}, {1 << 40, 1 << 40, Unlimited}, {1, Unlimited, Unlimited},
	} {
		if got := saturating(tt.a, tt.b); got != tt.want {
			t.Errorf("%d * %d = %d, want %d", int64(tt.a), int64(tt.b), int64(got), int64(tt.want))
		}
	}
}
