package limit

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/provider"
)

var one = provider.Limits{InFlight: 1}

func TestSlots(t *testing.T) {
	onEach(t, "Workers together never have more in flight than the limit", func(t *testing.T, c cluster) {
		const limit, rounds = 4, 12
		var inFlight, most, over atomic.Int64
		var wg sync.WaitGroup
		for range 3 {
			l := c.worker()
			for range 6 {
				wg.Go(func() {
					for range rounds {
						var g *Slot
						eventually(t, "no slot became free", func() bool {
							g = acquireOn(t, l, provider.Limits{InFlight: limit})
							return g != nil
						})
						if n := inFlight.Add(1); n > limit {
							over.Add(1)
						} else {
							most.Store(max(most.Load(), n))
						}
						inFlight.Add(-1)
						g.Release(t.Context())
					}
				})
			}
		}
		wg.Wait()
		if over.Load() > 0 || most.Load() == 0 {
			t.Errorf("%d times over the limit of %d; most seen below it: %d", over.Load(), limit, most.Load())
		}
		if s := status(t, c.worker()); s.InFlight != 0 {
			t.Errorf("%d slots are taken after all were released", s.InFlight)
		}
	})

	onEach(t, "The limit can be used up and not more", func(t *testing.T, c cluster) {
		a, b := c.worker(), c.worker()
		two := provider.Limits{InFlight: 2}
		if acquireOn(t, a, two) == nil || acquireOn(t, b, two) == nil {
			t.Fatal("a free slot was refused")
		}
		if acquireOn(t, a, two) != nil || acquireOn(t, b, two) != nil {
			t.Error("a third slot was granted")
		}
		if s := status(t, a); s.InFlight != 2 {
			t.Errorf("status says %d in flight", s.InFlight)
		}
	})

	onEach(t, "A killed holder's slot is free after its lease", func(t *testing.T, c cluster) {
		killed, other := c.worker(), c.worker()
		killed.Lease = 400 * time.Millisecond
		if acquireOn(t, killed, one) == nil {
			t.Fatal("a free slot was refused")
		}
		took := eventually(t, "the slot stays taken", func() bool { return acquireOn(t, other, one) != nil })
		if took < killed.Lease*8/10 {
			t.Errorf("the slot was free after %s of a lease of %s", took, killed.Lease)
		}
	})

	onEach(t, "A running holder keeps its slot past its lease", func(t *testing.T, c cluster) {
		holder, other := c.worker(), c.worker()
		holder.Lease = 600 * time.Millisecond
		stop := running(t, holder)
		g := acquireOn(t, holder, one)
		during(t, 2*holder.Lease, "the slot was given away", func() bool { return acquireOn(t, other, one) == nil })
		stop()
		if s := status(t, other); s.InFlight != 1 {
			t.Error("Run released a slot when it ended")
		}
		g.Release(t.Context())
		if acquireOn(t, other, one) == nil {
			t.Error("a released slot was refused")
		}
	})

	onEach(t, "A slot that Redis forgot is taken again", func(t *testing.T, c cluster) {
		holder := c.worker()
		holder.Lease = 600 * time.Millisecond
		running(t, holder)
		acquireOn(t, holder, one)
		must(t, holder.Redis.FlushAll(t.Context()).Err())
		eventually(t, "the slot is not taken again", func() bool { return status(t, holder).InFlight == 1 })
	})

	onEach(t, "A short lease does not shorten a long one", func(t *testing.T, c cluster) {
		long, short := c.worker(), c.worker()
		long.Lease = time.Hour
		acquireOn(t, long, provider.Limits{InFlight: 2})
		acquireOn(t, short, provider.Limits{InFlight: 2})
		ttl, err := long.Redis.PTTL(t.Context(), slotsKey(account)).Result()
		must(t, err)
		if ttl < 59*time.Minute {
			t.Errorf("the slots are kept for %s only", ttl)
		}
	})
}

func TestRelease(t *testing.T) {
	onEach(t, "Releasing twice takes nobody else's slot", func(t *testing.T, c cluster) {
		a, b := c.worker(), c.worker()
		g := acquireOn(t, a, one)
		g.Release(t.Context())
		if acquireOn(t, b, one) == nil {
			t.Fatal("a released slot was refused")
		}
		g.Release(t.Context())
		if acquireOn(t, a, one) != nil {
			t.Error("the other worker's slot was given away")
		}
	})

	onEach(t, "A cancelled task gives its slot back", func(t *testing.T, c cluster) {
		l := c.worker()
		g := acquireOn(t, l, one)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		g.Release(ctx)
		if s := status(t, l); s.InFlight != 0 {
			t.Error("the slot is still taken")
		}
	})

	onEach(t, "A release during a renewal leaves no slot behind", func(t *testing.T, c cluster) {
		l := c.worker()
		kept, g := acquireOn(t, l, provider.Limits{InFlight: 2}), acquireOn(t, l, provider.Limits{InFlight: 2})
		var once sync.Once
		l.Redis.AddHook(hook(func(cmd redis.Cmder) {
			if cmd.Name() == "evalsha" {
				once.Do(func() { g.Release(context.Background()) })
			}
		}))
		must(t, l.renew(t.Context(), time.Second))
		if s := status(t, l); s.InFlight != 1 {
			t.Errorf("%d slots are taken; want the one that was not released", s.InFlight)
		}
		kept.Release(t.Context())
	})

	onEach(t, "A slot asked for twice because the reply was lost is one slot", func(t *testing.T, c cluster) {
		l := c.worker()
		for i := range 2 {
			said, err := acquire.Run(t.Context(), l.Redis, keys(account), "same", 1, 1000, 3, 1000, 0, 0).Int64Slice()
			must(t, err)
			if answer(said[0]) != taken {
				t.Errorf("time %d: %v", i+1, said)
			}
		}
	})
}
