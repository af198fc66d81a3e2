package subscriptions

import (
	"context"
	"errors"
	"slices"
	"testing"
)

func TestEachUser(t *testing.T) {
	f := opened(t, OpenReadOnly, made(t, "1 7\n3 7\n3 8\n8 7\n9223372036854775807 0\n"))
	for name, c := range map[string]struct {
		each func(context.Context, func(int64)) error
		want []int64
	}{
		"followers":  {f.EachFollower, []int64{1, 3, 8, 9223372036854775807}},
		"publishers": {f.EachPublisher, []int64{0, 7, 8}},
	} {
		var got []int64
		if err := c.each(t.Context(), func(id int64) { got = append(got, id) }); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestEachUserEndsWithItsContext(t *testing.T) {
	path := t.TempDir() + "/friends.db"
	if _, err := Generate(t.Context(), path, Graph{Users: 3 * checkEvery, Mean: 2, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	f := opened(t, OpenReadOnly, path)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := f.EachPublisher(ctx, func(int64) {
		n++
		cancel()
	})
	if !errors.Is(err, context.Canceled) || n >= 2*checkEvery {
		t.Errorf("%v, after %d", err, n)
	}
}
