package selftest

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestSummed(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(0, 0).Add(time.Duration(s * float64(time.Second))) }
	moments := []time.Time{at(1), at(4), at(9)}
	t.Run("Recovery counts from a fault's end to the next line of the journal", func(t *testing.T) {
		got := summed("redis killed", []occurrence{{At: at(0), Until: at(3)}, {At: at(2), Until: at(5)}}, moments)
		if got.Count != 2 || got.Measured != 2 || got.Worst != 4*time.Second {
			t.Errorf("%+v", got)
		}
	})
	t.Run("For a killed worker it counts from the kill", func(t *testing.T) {
		if got := summed("worker killed", []occurrence{{At: at(2), Until: at(8)}}, moments); got.Worst != 2*time.Second {
			t.Errorf("%+v", got)
		}
	})
	t.Run("A fault after which nothing came is counted and not measured", func(t *testing.T) {
		if got := summed("redis killed", []occurrence{{At: at(8), Until: at(10)}}, moments); got.Count != 1 || got.Measured != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestDraw(t *testing.T) {
	t.Run("The same seed draws the same faults, all kinds come, and none but the wanted ones", func(t *testing.T) {
		drawn := func(wanted ...string) map[string]int {
			r := &run{Options: Options{Kinds: wanted}, rnd: rand.New(rand.NewPCG(7, 1))}
			all := make(map[string]int)
			for range 2000 {
				all[r.draw()]++
			}
			return all
		}
		first, second := drawn(), drawn()
		if len(first) != len(kinds) {
			t.Errorf("%d of %d kinds came", len(first), len(kinds))
		}
		for name, n := range first {
			if second[name] != n {
				t.Errorf("%s came %d and %d times", name, n, second[name])
			}
		}
		if only := drawn("redis emptied"); len(only) != 1 || only["redis emptied"] != 2000 {
			t.Errorf("%v", only)
		}
	})
	t.Run("A kind that there is not is refused by name", func(t *testing.T) {
		if err := Known([]string{"worker killed", "meteor"}); err == nil || Known([]string{"worker killed"}) != nil {
			t.Errorf("%v", err)
		}
	})
}
