package picturetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/easelqueue/easel/picture"
)

// lister returns s as a Lister; every store that is tested here is one.
func lister(t *testing.T, s picture.Store) picture.Lister {
	t.Helper()
	l, ok := s.(picture.Lister)
	if !ok {
		t.Fatalf("a %T does not list what it holds", s)
	}
	return l
}

func keys(t *testing.T, s picture.Store, prefix string) (all []string) {
	t.Helper()
	for o, err := range lister(t, s).All(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o.Key)
		if o.Size < 1 || time.Since(o.Modified).Abs() > time.Hour {
			t.Errorf("%s has %d bytes and was modified at %s", o.Key, o.Size, o.Modified)
		}
	}
	slices.Sort(all)
	return all
}

func lists(t *testing.T, s picture.Store) {
	want := []string{"1/1-0.png", "1/1-0.thumb.jpg", "12/7-0.png", "2/a/b/c.png", "猫/1.png"}
	for _, key := range append(slices.Clone(want), "3/gone.png") {
		put(t, s, key, sample('a', 10))
	}
	if err := s.Delete(t.Context(), "3/gone.png"); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "4/never.png", iotest.ErrReader(errors.New("broken")), "image/png"); err == nil {
		t.Fatal("a broken reader was stored")
	}
	for prefix, some := range map[string][]string{"": want, "1/": want[:2], "1": want[:3], "1/1-0.t": want[1:2], "2/a/": want[3:4], "猫": want[4:], "none/": nil} {
		if got := keys(t, s, prefix); !slices.Equal(got, some) {
			t.Errorf("below %q: %v, want %v", prefix, got, some)
		}
	}
}

func listEnds(t *testing.T, s picture.Store) {
	for i := range 20 {
		put(t, s, fmt.Sprintf("%d/1.png", i), sample('a', 1))
	}
	seen := 0
	for _, err := range lister(t, s).All(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 3 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range lister(t, s).All(ctx, "") {
		last = err
	}
	if seen != 3 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d were seen before the stop, and a cancelled list ended with %v", seen, last)
	}
}
