package sabotage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Outcome is what became of a mutant.
type Outcome string

const (
	Caught  Outcome = "caught"       // by an invariant that it must violate, or by its test
	Missed  Outcome = "missed"       // the simulation found nothing wrong
	Beside  Outcome = "other"        // only invariants were violated that it need not violate
	Hung    Outcome = "hung"         // the simulation did not end
	Crashed Outcome = "crashed"      // the simulation panicked
	Broken  Outcome = "not compiled" // nothing was lived through
)

// Result is what the simulation found about a mutant.
type Result struct {
	Mutant   Mutant
	Outcome  Outcome
	Violated []string // invariants, in the order of their numbers
	First    string   // the first violation of one of Mutant.Violates, or else of any
	Took     time.Duration
	Output   string // all that the simulation printed
}

// Limit bounds one run.
const Limit = 10 * time.Minute

// Run builds the simulation around the mutant and runs it. The error says that
// this could not be done; a mutant that is not caught is none.
func Run(ctx context.Context, root string, m Mutant) (Result, error) {
	began := time.Now()
	r := Result{Mutant: m}
	folder, err := os.MkdirTemp("", "easel-sabotage-*")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(folder)
	overlay, err := m.overlay(root, folder)
	if err != nil {
		return r, err
	}
	binary := filepath.Join(folder, "easel.test")
	said, err := output(ctx, root, "", "go", "test", "-c", "-overlay", overlay, "-o", binary, "./"+m.Lives.home())
	if err == nil {
		said, err = output(ctx, filepath.Join(root, filepath.FromSlash(m.Lives.home())), overlay, binary, m.Lives.arguments()...)
		r.judge(said, err)
		err = nil
	} else {
		r.Outcome = Broken
	}
	r.Output, r.Took = said, time.Since(began)
	return r, ctx.Err()
}

// Control lives through the same as all mutants, with easel as it is. The
// outcome must be Missed.
func Control(ctx context.Context, root string, all []Mutant) ([]Result, error) {
	var results []Result
	for _, l := range union(all) {
		r, err := Run(ctx, root, Mutant{Name: "easel as it is, " + l.String(), Rule: "as it is, easel breaks nothing", Lives: l})
		if err != nil {
			return results, err
		}
		results = append(results, r)
	}
	return results, nil
}

// union returns what the mutants live through, seeds that overlap in one.
func union(all []Mutant) []Lives {
	var seeds, placed []Lives
	for _, m := range all {
		if m.Lives.Seeds > 0 {
			seeds = append(seeds, m.Lives)
		} else if !slices.Contains(placed, m.Lives) {
			placed = append(placed, m.Lives)
		}
	}
	slices.SortFunc(seeds, func(a, b Lives) int { return a.First - b.First })
	var joined []Lives
	for _, l := range seeds {
		if n := len(joined); n > 0 && l.First <= joined[n-1].First+joined[n-1].Seeds {
			joined[n-1].Seeds = max(joined[n-1].Seeds, l.First+l.Seeds-joined[n-1].First)
			continue
		}
		joined = append(joined, l)
	}
	return append(joined, placed...)
}

func (l Lives) String() string {
	if l.Test.Package != "" {
		return l.Test.Package + " " + l.Test.Run
	}
	if l.Placed != "" {
		return l.Placed
	}
	return fmt.Sprintf("seeds %d to %d", l.First, l.First+l.Seeds-1)
}

func (l Lives) arguments() []string {
	if l.Test.Package != "" {
		return []string{"-test.run", l.Test.Run, "-test.v", "-test.timeout", Limit.String()}
	}
	tests, args := l.Placed, []string{"-test.count", fmt.Sprint(l.Times), "-stride", "1", "-thin", "1", "-all"}
	if tests == "" {
		tests, args = "^TestRandomSchedules$", []string{"-first", fmt.Sprint(l.First), "-seeds", fmt.Sprint(l.Seeds)}
	}
	return append([]string{"-test.run", tests, "-test.v", "-test.timeout", Limit.String(), "-shrink", "0", "-stop"}, args...)
}

// home is the folder of the package whose tests are run.
func (l Lives) home() string { return cmp.Or(l.Test.Package, "internal/simulation") }

// output runs a program to its end and returns what it printed. What it builds
// itself, as tests of real processes do, is built with the overlay too.
func output(ctx context.Context, folder, overlay, name string, args ...string) (string, error) {
	var said bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Stdout, c.Stderr = folder, &said, &said
	if overlay != "" {
		c.Env = append(os.Environ(), strings.TrimSpace("GOFLAGS="+os.Getenv("GOFLAGS")+" -overlay="+overlay))
	}
	err := c.Run()
	return said.String(), err
}

// violation is a line of the simulation's report.
var violation = regexp.MustCompile(`(?m)^ +((?:I\d+|P6) task \d+ .*)$`)

// failure is what go test prints of a test that has failed.
var failure = regexp.MustCompile(`(?m)^ *--- FAIL: (.*)$`)

var crash = regexp.MustCompile(`(?m)^(panic|fatal error): `)

// judge says what the simulation's output means; err is how it ended.
func (r *Result) judge(said string, err error) {
	for _, found := range violation.FindAllStringSubmatch(said, -1) {
		id, _, _ := strings.Cut(found[1], " ")
		wanted := slices.Contains(r.Mutant.Violates, id)
		if r.First == "" || wanted && !r.caught() {
			r.First = found[1]
		}
		if !slices.Contains(r.Violated, id) {
			r.Violated = append(r.Violated, id)
		}
	}
	if found := failure.FindAllStringSubmatch(said, -1); r.Mutant.Lives.Test.Package != "" && len(found) > 0 {
		r.First = found[len(found)-1][1] // subtests come after their parents
	}
	slices.SortFunc(r.Violated, func(a, b string) int { return order(a) - order(b) })
	var exit *exec.ExitError
	switch {
	case strings.Contains(said, "\npanic: test timed out"):
		r.Outcome = Hung
	case crash.MatchString(said) || err != nil && !errors.As(err, &exit):
		r.Outcome = Crashed
	case r.caught():
		r.Outcome = Caught
	case err != nil:
		r.Outcome = Beside
	default:
		r.Outcome = Missed
	}
}

func (r *Result) caught() bool {
	if r.Mutant.Lives.Test.Package != "" {
		return r.First != ""
	}
	return slices.ContainsFunc(r.Violated, func(id string) bool { return slices.Contains(r.Mutant.Violates, id) })
}

// order puts I2 before I10 and P6 last.
func order(id string) int {
	var n int
	if _, err := fmt.Sscanf(id, "I%d", &n); err != nil {
		return 100
	}
	return n
}
