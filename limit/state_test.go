package limit

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

var unlimited = provider.Limits{}

func TestClose(t *testing.T) {
	onEach(t, "A closed account is closed for everyone, until its time is over", func(t *testing.T, c cluster) {
		a, b := c.worker(), c.worker()
		must(t, a.Close(t.Context(), account, time.Second, Why{Reason: "429: slow down"}))
		g, wait, err := b.Acquire(t.Context(), account, unlimited)
		must(t, err)
		if g != nil || wait <= 0 || wait > time.Second {
			t.Errorf("slot %v, wait %s", g, wait)
		}
		if s := status(t, b); s.Why.Reason != "429: slow down" || time.Until(s.ClosedUntil) > time.Second {
			t.Errorf("status: %+v", s)
		}
		if g, _, err := b.Acquire(t.Context(), "openai/other", unlimited); g == nil || err != nil {
			t.Errorf("another account is closed too: %v", err)
		}
		eventually(t, "the account stays closed", func() bool { return acquireOn(t, b, unlimited) != nil })
		if s := status(t, b); s != (Status{}) {
			t.Errorf("status of an open account: %+v", s)
		}
	})

	onEach(t, "A closing is never shortened", func(t *testing.T, c cluster) {
		l := c.worker()
		must(t, l.Close(t.Context(), account, time.Minute, Why{Reason: "long"}))
		must(t, l.Close(t.Context(), account, time.Millisecond, Why{Reason: "short"}))
		must(t, l.Close(t.Context(), account, -time.Hour, Why{Reason: "past"}))
		must(t, l.Succeeded(t.Context(), account))
		if s := status(t, l); s.Why.Reason != "long" || time.Until(s.ClosedUntil) < 50*time.Second {
			t.Errorf("status: %+v", s)
		}
	})

	onEach(t, "A pause is told from a closing that somebody has to end", func(t *testing.T, c cluster) {
		l := c.worker()
		must(t, l.Pause(t.Context(), account, time.Minute, Why{Reason: "429"}))
		if s := status(t, l); !s.Eases || s.Why.Reason != "429" {
			t.Errorf("paused: %+v", s)
		}
		must(t, l.Close(t.Context(), account, time.Hour, Why{Reason: "401"}))
		if s := status(t, l); s.Eases || s.Why.Reason != "401" {
			t.Errorf("closed: %+v", s)
		}
	})

	onEach(t, "A closing and an open breaker say what can be done", func(t *testing.T, c cluster) {
		l := c.worker()
		broke := Why{Reason: "502", Advice: task.CheckServer, About: "--api"}
		for range 3 {
			must(t, l.Failed(t.Context(), account, broke))
		}
		want := broke
		want.Reason = "3 failures in a row, the last: 502"
		if diff := cmp.Diff(want, status(t, l).Why); diff != "" {
			t.Errorf("the breaker: %s", diff)
		}
		refused := Why{Reason: "401", Advice: task.GiveKey, About: "PAINTER_KEY"}
		must(t, l.Close(t.Context(), account, time.Minute, refused))
		if diff := cmp.Diff(refused, status(t, l).Why); diff != "" {
			t.Errorf("the closing: %s", diff)
		}
	})

	onEach(t, "A Retry-After of a year is cut, and so is a long reason", func(t *testing.T, c cluster) {
		l := c.worker()
		must(t, l.Close(t.Context(), account, 365*24*time.Hour, Why{Reason: strings.Repeat("é", 1000)}))
		if s := status(t, l); time.Until(s.ClosedUntil) > maxClosed || len(s.Why.Reason) > maxReason || !strings.HasSuffix(s.Why.Reason, "é") {
			t.Errorf("status: %+v", s)
		}
	})
}

func TestBreaker(t *testing.T) {
	fail := func(t *testing.T, l *Limiter, n int) {
		t.Helper()
		for range n {
			must(t, l.Failed(t.Context(), account, Why{Reason: "500: it broke"}))
		}
	}

	onEach(t, "Failures in a row open the account for everyone", func(t *testing.T, c cluster) {
		a, b := c.worker(), c.worker()
		fail(t, a, 2)
		if acquireOn(t, b, unlimited) == nil {
			t.Fatal("open after two failures of three")
		}
		fail(t, a, 1)
		if acquireOn(t, b, unlimited) != nil {
			t.Error("not open after three failures")
		}
		if s := status(t, b); s.Why.Reason != "3 failures in a row, the last: 500: it broke" || !s.Eases || s.Failures != 3 || s.ClosedUntil.IsZero() {
			t.Errorf("status: %+v", s)
		}
	})

	onEach(t, "One success begins the count anew", func(t *testing.T, c cluster) {
		l := c.worker()
		fail(t, l, 2)
		must(t, l.Succeeded(t.Context(), account))
		fail(t, l, 2)
		if acquireOn(t, l, unlimited) == nil {
			t.Error("open after two failures in a row")
		}
	})

	onEach(t, "After the pause one call tries, and its success opens the way", func(t *testing.T, c cluster) {
		a, b := c.worker(), c.worker()
		a.Breaker.Open = time.Second
		fail(t, a, 3)
		eventually(t, "nobody may try", func() bool { return acquireOn(t, a, unlimited) != nil })
		if acquireOn(t, b, unlimited) != nil {
			t.Error("a second call tries too")
		}
		must(t, a.Succeeded(t.Context(), account))
		if acquireOn(t, a, unlimited) == nil || acquireOn(t, b, unlimited) == nil {
			t.Error("still closed after a success")
		}
	})

	onEach(t, "A try that fails is followed by another pause", func(t *testing.T, c cluster) {
		l := c.worker()
		l.Breaker.Open = time.Second
		fail(t, l, 3)
		eventually(t, "nobody may try", func() bool { return acquireOn(t, l, unlimited) != nil })
		fail(t, l, 1)
		if acquireOn(t, l, unlimited) != nil {
			t.Error("open right after a failed try")
		}
	})

	onEach(t, "Failures of calls under way do not prolong the pause", func(t *testing.T, c cluster) {
		l := c.worker()
		fail(t, l, 3)
		first := status(t, l).ClosedUntil
		fail(t, l, 5)
		if s := status(t, l); !s.ClosedUntil.Equal(first) {
			t.Errorf("open until %s, then until %s", first, s.ClosedUntil)
		}
	})

	onEach(t, "A try without a call is left to the next, and one with a call is not", func(t *testing.T, c cluster) {
		l := c.worker()
		l.Breaker.Open = time.Second
		fail(t, l, 3)
		var try *Slot
		eventually(t, "nobody may try", func() bool { try = acquireOn(t, l, unlimited); return try != nil })
		try.Release(t.Context())
		if try = acquireOn(t, l, unlimited); try == nil {
			t.Fatal("the try is used up although no call was made")
		}
		l.Breaker.Open = time.Hour
		fail(t, l, 1)
		try.Release(t.Context())
		try = acquireOn(t, l, unlimited)
		if try == nil {
			t.Fatal("the second is used up")
		}
		try.Begin()
		try.Release(t.Context())
		if acquireOn(t, l, unlimited) != nil {
			t.Error("a third call tries while the account is open")
		}
	})

	onEach(t, "A try that the rate refuses is left to the next", func(t *testing.T, c cluster) {
		l := c.worker()
		l.Breaker.Open = 100 * time.Millisecond
		acquireOn(t, l, provider.Limits{PerMinute: 1})
		fail(t, l, 3)
		eventually(t, "the account stays closed", func() bool { return status(t, l).ClosedUntil.IsZero() })
		if acquireOn(t, l, provider.Limits{PerMinute: 1}) != nil {
			t.Fatal("two calls in a minute")
		}
		if acquireOn(t, l, unlimited) == nil {
			t.Error("the try is used up although no call was made")
		}
	})
}

func TestRedis(t *testing.T) {
	onEach(t, "An account without limits costs one script", func(t *testing.T, c cluster) {
		l := c.worker()
		acquireOn(t, l, unlimited).Release(t.Context()) // connects and loads the script
		var commands []string
		l.Redis.AddHook(hook(func(cmd redis.Cmder) { commands = append(commands, cmd.Name()) }))
		acquireOn(t, l, unlimited).Release(t.Context())
		if len(commands) != 1 || commands[0] != "evalsha" {
			t.Errorf("commands: %v", commands)
		}
	})

	onEach(t, "All keys of an account lie in one slot and have a TTL", func(t *testing.T, c cluster) {
		l := c.worker()
		acquireOn(t, l, provider.Limits{PerMinute: 60, InFlight: 5})
		must(t, l.renew(t.Context(), time.Second))
		must(t, l.Failed(t.Context(), account, Why{Reason: "500: it broke"}))
		must(t, l.Close(t.Context(), account, time.Minute, Why{Reason: "busy"}))
		found, err := l.Redis.Keys(t.Context(), "*").Result()
		must(t, err)
		if len(found) != 4 {
			t.Errorf("keys: %q", found)
		}
		for _, k := range found {
			ttl, err := l.Redis.PTTL(t.Context(), k).Result()
			must(t, err)
			if !strings.Contains(k, "easel:limit:{openai/main}:") || ttl <= 0 {
				t.Errorf("key %q has a TTL of %s", k, ttl)
			}
		}
	})

	t.Run("A Redis that is away is an error that names the account", func(t *testing.T) {
		client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", Password: "hunter2", MaxRetries: -1, DialerRetries: 1})
		defer client.Close()
		l := &Limiter{Redis: client}
		_, _, acquireErr := l.Acquire(t.Context(), account, unlimited)
		_, statusErr := l.Status(t.Context(), account)
		for _, err := range []error{acquireErr, statusErr, l.Close(t.Context(), account, time.Second, Why{Reason: "x"}),
			l.Failed(t.Context(), account, Why{Reason: "500: it broke"}), l.Succeeded(t.Context(), account)} {
			if err == nil || !strings.Contains(err.Error(), account) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestBounds(t *testing.T) {
	l := &Limiter{} // refused before Redis is asked
	for name, a := range map[string]string{
		"an empty account": "", "a brace": "a}b", "a line break": "a\nb", "a long account": strings.Repeat("a", 256),
	} {
		if _, _, err := l.Acquire(t.Context(), a, unlimited); err == nil || !strings.Contains(err.Error(), "1 to 255 bytes") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, want := range []provider.Limits{{PerMinute: -1}, {InFlight: -2}} {
		if _, _, err := l.Acquire(t.Context(), account, want); err == nil || !strings.Contains(err.Error(), "both must be 0") {
			t.Errorf("%+v: %v", want, err)
		}
	}
	if l.lease() != 30*time.Second || l.breaker() != (Breaker{Failures: 10, Open: 30 * time.Second}) {
		t.Errorf("defaults: %s, %+v", l.lease(), l.breaker())
	}
}
