package limit

import (
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

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

	onEach(t, "A call that the rate refuses takes no slot", func(t *testing.T, c cluster) {
		l := c.worker()
		want := provider.Limits{PerMinute: 1, InFlight: 5}
		acquireOn(t, l, want)
		g, wait, err := l.Acquire(t.Context(), account, want)
		must(t, err)
		if g != nil || wait < 50*time.Second || wait > 61*time.Second {
			t.Errorf("second call in a minute: slot %v, wait %s", g, wait)
		}
		if s := status(t, l); s.InFlight != 1 {
			t.Errorf("%d slots are taken", s.InFlight)
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

	onEach(t, "A call without a slot takes nothing of the rate", func(t *testing.T, c cluster) {
		l := c.worker()
		want := provider.Limits{PerMinute: 10, InFlight: 1}
		g := acquireOn(t, l, want)
		for range 10 {
			if acquireOn(t, l, want) != nil {
				t.Fatal("a second slot was granted")
			}
		}
		g.Release(t.Context())
		if acquireOn(t, l, want) == nil {
			t.Error("the refused calls used up the rate")
		}
	})

	onEach(t, "The burst comes at once after a pause, and no more", func(t *testing.T, c cluster) {
		l := c.worker()
		want := provider.Limits{PerMinute: 100}
		for i := range 11 { // a tenth, and one
			if acquireOn(t, l, want) == nil {
				t.Fatalf("call %d of the burst is refused", i+1)
			}
		}
		if acquireOn(t, l, want) != nil {
			t.Error("a call more than the burst is let through")
		}
	})

	t.Run("A clock of Redis that is set back keeps nobody waiting for longer than a burst is worth", func(t *testing.T) {
		server := miniredis.RunT(t)
		l := cluster{t, server.Addr()}.worker()
		now := time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)
		want := provider.Limits{PerMinute: 10}
		server.SetTime(now)
		for range 2 {
			acquireOn(t, l, want)
		}
		server.SetTime(now.Add(-time.Hour))
		_, wait, err := l.Acquire(t.Context(), account, want)
		must(t, err)
		if wait <= 0 || wait > 7*time.Second {
			t.Errorf("the wait is %s", wait)
		}
	})

	t.Run("What a worker of the release before has let through counts", func(t *testing.T) {
		server := miniredis.RunT(t)
		l := cluster{t, server.Addr()}.worker()
		server.SetTime(time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC))
		must(t, server.Set("rate:easel:limit:{"+account+"}:rate", "452174430.5")) // half a minute ahead
		g, wait, err := l.Acquire(t.Context(), account, provider.Limits{PerMinute: 1})
		must(t, err)
		if g != nil || wait != 30500*time.Millisecond {
			t.Errorf("slot %v, wait %s", g, wait)
		}
	})

	onEach(t, "A call with a slot and a rate costs one script", func(t *testing.T, c cluster) {
		l := c.worker()
		want := provider.Limits{PerMinute: 600, InFlight: 5}
		acquireOn(t, l, want) // connects and loads the script
		var commands []string
		l.Redis.AddHook(hook(func(cmd redis.Cmder) { commands = append(commands, cmd.Name()) }))
		acquireOn(t, l, want)
		if len(commands) != 1 || commands[0] != "evalsha" {
			t.Errorf("commands: %v", commands)
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
