package limit

import (
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/easelqueue/easel/provider"
)

func TestRate(t *testing.T) {
	onEach(t, "The rate holds across two workers", func(t *testing.T, c cluster) {
		a, b := c.worker(), c.worker()
		n := 0
		for range 10 {
			for _, l := range []*Limiter{a, b} {
				if acquireOn(t, l, provider.Limits{PerMinute: 10}) != nil {
					n++
				}
			}
		}
		if n != 2 { // a tenth at once, and the next in 6.8 s
			t.Errorf("%d calls at once; want 2", n)
		}
	})

	onEach(t, "A call that the rate refuses takes no place", func(t *testing.T, c cluster) {
		l := c.worker()
		want := provider.Limits{PerMinute: 1, InFlight: 5}
		acquireOn(t, l, want)
		g, wait, err := l.Acquire(t.Context(), account, want)
		must(t, err)
		if g != nil || wait < 50*time.Second || wait > 61*time.Second {
			t.Errorf("second call in a minute: grant %v, wait %s", g, wait)
		}
		if s := status(t, l); s.InFlight != 1 {
			t.Errorf("%d places are taken", s.InFlight)
		}
	})

	onEach(t, "Whether the rate is spent can be asked without spending it", func(t *testing.T, c cluster) {
		l := c.worker()
		spent := func() time.Duration {
			t.Helper()
			wait, err := l.Spent(t.Context(), account, 10)
			must(t, err)
			return wait
		}
		for range 5 {
			if wait := spent(); wait != 0 {
				t.Fatalf("before the first call: %s", wait)
			}
		}
		for range 2 { // a tenth at once
			if acquireOn(t, l, provider.Limits{PerMinute: 10}) == nil {
				t.Fatal("asking took a call")
			}
		}
		if wait := spent(); wait <= 0 || wait > 7*time.Second { // the next comes in 6.8 s
			t.Errorf("after both: %s", wait)
		}
	})

	onEach(t, "A call without a place takes nothing of the rate", func(t *testing.T, c cluster) {
		l := c.worker()
		want := provider.Limits{PerMinute: 10, InFlight: 1}
		g := acquireOn(t, l, want)
		for range 10 {
			if acquireOn(t, l, want) != nil {
				t.Fatal("a second place was granted")
			}
		}
		g.Release(t.Context())
		if acquireOn(t, l, want) == nil {
			t.Error("the refused calls used up the rate")
		}
	})

	for _, n := range []int{1, 10, 60, 250} {
		t.Run(fmt.Sprintf("No minute sees more than %d calls, and few less", n), func(t *testing.T) {
			t.Parallel()
			server := miniredis.RunT(t)
			c := cluster{t, server.Addr()}
			workers := []*Limiter{c.worker(), c.worker()}
			const minutes = 4
			start := time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)
			var calls []time.Duration
			for now := time.Duration(0); now < minutes*time.Minute; {
				server.SetTime(start.Add(now))
				g, wait, err := workers[len(calls)%2].Acquire(t.Context(), account, provider.Limits{PerMinute: n})
				must(t, err)
				if g != nil {
					calls = append(calls, now)
				}
				now += wait
			}
			for i := n; i < len(calls); i++ {
				if calls[i]-calls[i-n] < time.Minute {
					t.Fatalf("%d calls within %s, from %s on", n+1, calls[i]-calls[i-n], calls[i-n])
				}
			}
			if len(calls) < minutes*n*85/100 {
				t.Errorf("%d calls in %d minutes", len(calls), minutes)
			}
		})
	}
}
