// Package selftest attacks a whole easel of its own: real servers, worker and
// producer processes and a service that bills, all behind proxies that can be cut.
// Something breaks every few seconds; then everything comes back, the system
// settles, and package check judges what is left.
package selftest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	workers     = 3
	producers   = 2
	settleLimit = 5 * time.Minute
	calmBefore  = 3 * time.Second // at the start, so that there is something to break
)

// Options say what to attack and for how long.
type Options struct {
	Program string        // easel-selftest itself, to be run as workers and producers
	Easel   string        // easel, whose commands are looked at in the end; empty leaves them out
	For     time.Duration // how long things break
	Every   time.Duration // the mean time between two faults, default 2 s
	Seed    uint64        // of the schedule
	Rate    int           // tasks per second and producer, default 3
	Kinds   []string      // of faults; empty is all that can be had here

	// DatabaseURL and RedisURL name servers that are given; both have to be empty
	// and are left full. Without them throwaway servers are started, or embedded
	// ones where their programs are missing.
	DatabaseURL, RedisURL string

	Folder string // for data and evidence; must exist

	// Progress is told how far the run is; nil tells nobody.
	Progress func(done, total time.Duration, phase string)
	// Say is told what a person should know; nil tells nobody.
	Say func(sentence string)
}

func (o Options) withDefaults() Options {
	if o.Every <= 0 {
		o.Every = 2 * time.Second
	}
	if o.Rate <= 0 {
		o.Rate = 3
	}
	if o.Progress == nil {
		o.Progress = func(time.Duration, time.Duration, string) {}
	}
	if o.Say == nil {
		o.Say = func(string) {}
	}
	return o
}

// Run attacks and judges. When ctx ends everything is taken down and its error
// returned; an error says that the test could not be made, and not that a promise
// is broken: that is in the report.
func Run(ctx context.Context, o Options) (Report, error) {
	o = o.withDefaults()
	r := &run{Options: o, began: time.Now(), rnd: rand.New(rand.NewPCG(o.Seed, 1))}
	err := r.whole(ctx)
	if closed := r.close(); err == nil {
		err = closed
	}
	if ctx.Err() != nil {
		return Report{}, ctx.Err()
	}
	if err != nil {
		return Report{}, err
	}
	return r.report, nil
}

// run is one self-test.
type run struct {
	Options
	site
	began  time.Time
	ended  time.Time // of the faults
	rnd    *rand.Rand
	report Report

	mu     sync.Mutex
	slots  []*slot
	faults []occurrence
	told   []told

	drawn   int             // faults so far
	jumped  bool            // the database's clock has
	busy    map[string]bool // targets that a fault has at the moment
	helping sync.WaitGroup  // faults that are not over
}

func (r *run) whole(ctx context.Context) error {
	r.busy = make(map[string]bool)
	total := r.For + calmBefore + 30*time.Second
	r.Progress(0, total, "starting servers")
	if err := r.open(ctx); err != nil {
		return err
	}
	if err := r.startAll(ctx); err != nil {
		return err
	}
	attacking, calm := context.WithTimeout(ctx, r.For+calmBefore)
	defer calm()
	group, attacking := errgroup.WithContext(attacking)
	group.Go(func() error { return r.attack(attacking) })
	group.Go(func() error { return r.supervise(attacking) })
	group.Go(func() error { return r.people(attacking) })
	group.Go(func() error { return r.observe(attacking) })
	group.Go(func() error { return r.showProgress(attacking, total) })
	err := group.Wait()
	r.helping.Wait()
	if err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	if err := r.mend(ctx); err != nil {
		return err
	}
	r.ended = time.Now()
	r.Progress(r.For, total, "letting it settle")
	if err := r.settle(ctx); err != nil {
		return err
	}
	r.Progress(total, total, "judging")
	return r.judge(ctx)
}

func (r *run) showProgress(ctx context.Context, total time.Duration) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			r.Progress(time.Since(r.began), total, fmt.Sprintf("%d faults so far", r.count()/10*10))
		}
	}
}

// supervise fills slots whose process has ended by itself, as one does that does
// not reach its servers when it starts.
func (r *run) supervise(ctx context.Context) error {
	for ctx.Err() == nil {
		sleep(ctx, time.Second)
		for _, s := range r.slots {
			if err := r.refill(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// refill starts another process in a slot that is empty and has no fault at the moment.
func (r *run) refill(ctx context.Context, s *slot) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := s.process(); r.busy[s.name()] || ctx.Err() != nil || c == nil || c.running() {
		return nil
	}
	return s.start(ctx)
}

func (r *run) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.faults)
}

// startAll starts the workers and the producers.
func (r *run) startAll(ctx context.Context) error {
	for i := range workers + producers {
		s := &slot{run: r, number: i}
		r.slots = append(r.slots, s)
		if err := s.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// close ends every process, in the opposite order of their start.
func (r *run) close() error {
	r.helping.Wait()
	var errs []error
	for i := len(r.slots) - 1; i >= 0; i-- {
		r.slots[i].kill()
	}
	errs = append(errs, r.site.close())
	return errors.Join(errs...)
}

// sink is where the output of a process goes.
func (r *run) sink(name string) (*os.File, error) {
	folder := filepath.Join(r.Folder, "sinks")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(folder, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// sleep waits, and returns early when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
