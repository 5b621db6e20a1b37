package sabotage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// small is a module like easel in what Run needs of it: a rule, a test of it and a
// simulation that lives by it. The real mutants are run by make prove.
var small = map[string]string{
	"go.mod": "module example.test\n\ngo 1.26.0\n",
	"rule/rule.go": `package rule

func Next(fence int) int { return fence + 1 }
`,
	"rule/rule_test.go": `package rule

import "testing"

func TestNext(t *testing.T) {
	t.Run("It grows", func(t *testing.T) {
		if Next(1) != 2 {
			t.Error(Next(1))
		}
	})
}
`,
	"internal/simulation/simulation_test.go": `package simulation

import (
	"flag"
	"fmt"
	"testing"

	"example.test/rule"
)

var (
	first = flag.Int("first", 0, "")
	seeds = flag.Int("seeds", 0, "")
	_     = flag.Int("stride", 0, "")
	_     = flag.Int("thin", 0, "")
	_     = flag.Int("shrink", 0, "")
	_     = flag.Bool("all", false, "")
	_     = flag.Bool("stop", false, "")
)

func TestRandomSchedules(t *testing.T) {
	for seed := *first; seed < *first+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			if rule.Next(seed) != seed+1 {
				t.Error("this seed broke something\n  I4 task 1 t-000001: the fence stays")
			}
		})
	}
}
`,
}

func smallModule(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range small {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestRun(t *testing.T) {
	root := smallModule(t)
	stays := []Edit{{"rule/rule.go", "fence + 1", "fence"}}
	live := func(t *testing.T, m Mutant) Result {
		t.Helper()
		r, err := Run(t.Context(), root, m)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	t.Run("The simulation catches a mutant", func(t *testing.T) {
		r := live(t, Mutant{Edits: stays, Violates: []string{"I4"}, Lives: Lives{First: 3, Seeds: 2}})
		if r.Outcome != Caught || !slices.Equal(r.Violated, []string{"I4"}) || !strings.Contains(r.Output, "--- FAIL: TestRandomSchedules/4 ") {
			t.Errorf("%s by %q:\n%s", r.Outcome, r.Violated, r.Output)
		}
	})
	t.Run("A test of a package catches one", func(t *testing.T) {
		r := live(t, Mutant{Edits: stays, Lives: Lives{Test: Test{"rule", "^TestNext$"}}})
		if r.Outcome != Caught || !strings.HasPrefix(r.First, "TestNext/It_grows") {
			t.Errorf("%s by %q:\n%s", r.Outcome, r.First, r.Output)
		}
	})
	t.Run("Nothing is found without it", func(t *testing.T) {
		results, err := Control(t.Context(), root, []Mutant{{Edits: stays, Lives: Lives{First: 3, Seeds: 2}}})
		if err != nil || len(results) != 1 || results[0].Outcome != Missed || !strings.Contains(results[0].Output, "--- PASS: TestRandomSchedules/4 ") {
			t.Errorf("%+v, %v", results, err)
		}
	})
	t.Run("One that does not compile is not caught", func(t *testing.T) {
		r := live(t, Mutant{Edits: []Edit{{"rule/rule.go", "fence + 1", "nothing + 1"}}, Lives: Lives{First: 1, Seeds: 1}})
		if r.Outcome != Broken || !strings.Contains(r.Output, "undefined: nothing") {
			t.Errorf("%s:\n%s", r.Outcome, r.Output)
		}
	})
	t.Run("One whose text is gone is an error", func(t *testing.T) {
		m := Mutant{Edits: []Edit{{"rule/rule.go", "no such text", ""}}, Lives: Lives{First: 1, Seeds: 1}}
		if _, err := Run(t.Context(), root, m); err == nil || !strings.Contains(err.Error(), "0 times") {
			t.Errorf("the error is %v", err)
		}
	})
}
