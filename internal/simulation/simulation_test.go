package simulation

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

var (
	seeds   = flag.Int("seeds", seedsByDefault, "how many random schedules are lived through")
	first   = flag.Uint64("first", 1, "the first seed")
	one     = flag.Uint64("seed", 0, "live through the schedule of this seed alone")
	keepIn  = flag.String("evidence", "", "write what each run leaves behind into a folder of this one")
	stride  = flag.Int("stride", strideByDefault, "of the n-th commands that fail, how many to go on each time; 1 is all")
	thin    = flag.Int("thin", thinByDefault, "of the other placed faults, one in how many is lived through; 1 is all")
	all     = flag.Bool("all", false, "place every fault at every step in every class of provider")
	shrinks = flag.Int("shrink", 40, "how many runs may be spent on shrinking a schedule that fails")
	stop    = flag.Bool("stop", false, "live through nothing more once a run has failed")
)

// broken says that a run has failed.
var broken atomic.Bool

// goOn skips what comes after a run that failed, if that is wanted.
func goOn(t *testing.T) {
	t.Helper()
	if *stop && broken.Load() {
		t.Skip("an earlier run has failed, and -stop is set")
	}
}

// TestMain puts the process far from UTC: SQLite compares times as text.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("Chatham", 12*3600+45*60)
	zerolog.TimeFieldFormat = time.RFC3339Nano
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

func TestRandomSchedules(t *testing.T) {
	from, n := *first, *seeds
	if *one != 0 {
		from, n = *one, 1
	}
	sum := newTally()
	t.Run("seeds", func(t *testing.T) {
		for seed := from; seed < from+uint64(n); seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				goOn(t)
				o := run(t, randomPlan(seed))
				sum.add(o)
				keep(t, o, fmt.Sprint(seed))
				if len(o.violations) > 0 {
					broken.Store(true)
					t.Error(o.report(shrink(t, o)))
				}
			})
		}
	})
	t.Log(sum)
}

// shrink drops faults one by one as long as the rest still breaks something.
// The order of goroutines is not the same in each run, so a schedule counts as
// failing if one of three runs fails.
func shrink(t *testing.T, o outcome) outcome {
	left := *shrinks
	fails := func(p plan) (outcome, bool) {
		for range 3 {
			if left--; left < 0 {
				return o, false
			}
			if again := run(t, p); len(again.violations) > 0 {
				return again, true
			}
		}
		return o, false
	}
	for i := 0; i < len(o.Faults) && left > 0; {
		smaller := o.plan
		smaller.Faults = slices.Delete(slices.Clone(o.Faults), i, i+1)
		if again, bad := fails(smaller); bad {
			o = again
		} else {
			i++
		}
	}
	return o
}

// report says what broke, in the run itself and in the smallest that still breaks.
func (o outcome) report(small outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, %s\n", o.Seed, strings.Join(o.Providers, " and "))
	show := func(o outcome) {
		for _, v := range o.violations {
			fmt.Fprintf(&b, "  %s\n", v)
		}
		for _, f := range o.Faults {
			fmt.Fprintf(&b, "  fault  %s\n", f)
		}
		b.WriteString(o.stories)
	}
	if len(small.Faults) == len(o.Faults) {
		show(o)
		return b.String()
	}
	for _, v := range o.violations {
		fmt.Fprintf(&b, "  %s\n", v)
	}
	fmt.Fprintf(&b, "of %d faults these %d are enough:\n", len(o.Faults), len(small.Faults))
	show(small)
	return b.String()
}

// keep writes the evidence of a run if that is wanted.
func keep(t *testing.T, o outcome, name string) {
	t.Helper()
	if *keepIn == "" {
		return
	}
	if err := write(filepath.Join(*keepIn, name), o.files); err != nil {
		t.Fatal(err)
	}
}

// tally sums up runs.
type tally struct {
	turn   chan struct{}
	runs   int
	lasted time.Duration
	counts map[string]int
}

func newTally() *tally { return &tally{turn: make(chan struct{}, 1), counts: make(map[string]int)} }

func (s *tally) add(o outcome) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.runs++
	s.lasted += o.lasted
	for name, n := range o.counts {
		s.counts[name] += n
	}
}

func (s *tally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d runs, %s of fake time", s.runs, s.lasted.Round(time.Second))
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		fmt.Fprintf(&b, ", %d %s", s.counts[name], name)
	}
	return b.String()
}
