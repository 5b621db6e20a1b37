// Package limit holds what a provider grants an account, across all workers: the
// rate of calls, the number in flight, closings and a circuit breaker. All of it
// lives in Redis and goes by the clock of Redis. It never waits: it says how
// long to wait.
package limit

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/provider"
)

const (
	// poll is how soon to ask again for a slot when all are taken. Callers with
	// many waiting tasks let it grow.
	poll = 100 * time.Millisecond

	// releasing bounds how long a release may take; after that the lease does it.
	releasing = 5 * time.Second

	maxAccount = 255 // bytes of an account's name
)

// Limiter lets calls through. Its methods are safe for concurrent use. Accounts are
// named "provider/account". It must not be copied after its first use.
type Limiter struct {
	Redis   redis.UniversalClient
	Lease   time.Duration // how long the slot of a killed worker stays taken, default 30 s
	Breaker Breaker
	Log     zerolog.Logger

	mu   sync.Mutex
	held map[string]map[string]bool // the slots of this process by account, for Run
}

// Breaker stops the calls to an account that does nothing but fail. When its
// time is over one call tries, and the account is open again if that succeeds.
type Breaker struct {
	Failures int           // in a row that open it, default 10
	Open     time.Duration // how long it stays open, default 30 s
}

// Slot is the permission for one call. It is valid until Release.
type Slot struct {
	limiter *Limiter
	account string
	slot    string // our member of the account's slots; empty if their number is not limited
	trial   bool   // this is the one call that tries an account whose breaker was open
	begun   bool   // its call was made, so that the account has been tried
}

// Begin says that the call is made. It is for whoever has the slot, as Release is.
func (g *Slot) Begin() { g.begun = true }

// answer is what the script acquire says first.
type answer int64

const (
	taken answer = iota
	takenForTrial
	closed
	full
	paced
)

// Acquire asks for one call. It returns a Slot, or without one how long to wait
// before asking again, which is never 0. A refusal takes nothing: no slot and
// none of the rate.
func (l *Limiter) Acquire(ctx context.Context, account string, want provider.Limits) (*Slot, time.Duration, error) {
	if err := check(account, want); err != nil {
		return nil, 0, err
	}
	g := &Slot{limiter: l, account: account}
	if want.InFlight > 0 {
		g.slot = rand.Text()
	}
	b, r := l.breaker(), rateOf(want.PerMinute)
	said, err := acquire.Run(ctx, l.Redis, keys(account), g.slot, want.InFlight,
		l.lease().Milliseconds(), b.Failures, b.Open.Milliseconds(), r.interval, r.burst).Int64Slice()
	if err != nil {
		return nil, 0, failed(account, err)
	}
	switch answer(said[0]) {
	case full:
		return nil, poll, nil
	case closed, paced:
		return nil, time.Duration(said[1]) * time.Millisecond, nil
	case takenForTrial:
		g.trial = true
	}
	l.hold(g)
	return g, 0, nil
}

// Spent says for how long the account's rate lets no further call through; 0 if it lets
// one now. Asking takes nothing of it.
func (l *Limiter) Spent(ctx context.Context, account string, perMinute int) (time.Duration, error) {
	if perMinute == 0 {
		return 0, nil
	}
	r := rateOf(perMinute)
	wait, err := spent.Run(ctx, l.Redis, keys(account), r.interval, r.burst).Int64()
	if err != nil {
		return 0, failed(account, err)
	}
	return time.Duration(wait) * time.Millisecond, nil
}

// rate is a rate of calls as GCRA counts it.
type rate struct {
	interval float64 // seconds between calls that come evenly; 0 is no limit
	burst    int     // calls that may come at once after a pause
}

// rateOf lets a tenth of the n calls come at once and spreads the rest, so that no
// minute, wherever it begins, sees more than n. GCRA allows its burst plus its
// rate in the period after a pause, less the call that ends that period. The
// period is a second more than the minute because calls reach the provider after
// they are let through, some sooner and some later.
func rateOf(n int) rate {
	if n == 0 {
		return rate{}
	}
	const period = 61
	burst := 1 + n/10
	return rate{interval: period / float64(n+1-burst), burst: burst}
}

// Release gives the slot back, also when ctx has ended. It may be called more than
// once. If Redis can't be reached the slot becomes free with its lease. A trial of a
// breaker for which no call was begun is given back: the next who asks has it.
func (g *Slot) Release(ctx context.Context) {
	l := g.limiter
	held := l.drop(g)
	if g.trial && !g.begun {
		g.giveBack(ctx)
		g.trial = false
		return
	}
	if !held {
		return
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	if err := l.Redis.ZRem(ctx, slotsKey(g.account), g.slot).Err(); err != nil {
		l.Log.Warn().Err(err).Str("account", g.account).Msg("slot not released; it becomes free with its lease")
	}
}

// giveBack undoes Acquire for a trial of which no call was begun.
func (g *Slot) giveBack(ctx context.Context) {
	l := g.limiter
	ctx, cancel := detached(ctx)
	defer cancel()
	if err := untry.Run(ctx, l.Redis, keys(g.account), g.slot).Err(); err != nil {
		l.Log.Warn().Err(err).Str("account", g.account).Msg("slot and trial not given back; they become free in time")
	}
}

// detached is for releasing: that a task was cancelled is no reason to keep
// its slot.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), releasing)
}

func (l *Limiter) lease() time.Duration {
	if l.Lease <= 0 {
		return 30 * time.Second
	}
	return l.Lease
}

func (l *Limiter) breaker() Breaker {
	b := l.Breaker
	if b.Failures <= 0 {
		b.Failures = 10
	}
	if b.Open <= 0 {
		b.Open = 30 * time.Second
	}
	return b
}

func check(account string, want provider.Limits) error {
	if err := checkAccount(account); err != nil {
		return err
	}
	if want.PerMinute < 0 || want.InFlight < 0 {
		return fmt.Errorf("limits of account %q: per minute is %d and in flight is %d; both must be 0 (no limit) or more",
			account, want.PerMinute, want.InFlight)
	}
	return nil
}

// checkAccount refuses names that would break the hash tag of our keys.
func checkAccount(account string) error {
	bad := func(r rune) bool { return r == '{' || r == '}' || unicode.IsControl(r) }
	if account == "" || len(account) > maxAccount || strings.ContainsFunc(account, bad) {
		return fmt.Errorf("account is %.300q; it must have 1 to %d bytes without braces and control characters", account, maxAccount)
	}
	return nil
}

func failed(account string, err error) error {
	return fmt.Errorf("limits of account %q: %w", account, err)
}
