package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/easelqueue/easel/internal/sabotage"
)

// parts in the order in which they run.
var parts = []part{
	{"placed", "every fault before and after every step, every command and statement that fails, once each", placed},
	{"matrix", "the program killed and frozen at every point, in every class of provider, on both databases", matrix},
	{"selftest", "processes, servers and networks that fail at random under a real load", selftest},
	{"mutants", "versions of easel that are broken on purpose, each of which must be caught", mutants},
	{"seeds", "random schedules of faults", seeds},
}

const simulation = "internal/simulation"

// slice is how many seeds one process lives through.
const slice = 100

func seeds(ctx context.Context, p *prover, r *result) error {
	binary, err := p.tests(ctx, r, simulation)
	if err != nil {
		return err
	}
	for done := 0; done < p.seeds && ctx.Err() == nil; done += slice {
		n := min(slice, p.seeds-done)
		first := p.first + uint64(done)
		err := p.runTests(ctx, r, binary, simulation, "TestRandomSchedules", "-first", fmt.Sprint(first), "-seeds", fmt.Sprint(n))
		if err != nil {
			return err
		}
		p.show.line("seeds: %d of %d lived through, %d failed", r.Cases, p.seeds, len(r.Failed))
	}
	return nil
}

func placed(ctx context.Context, p *prover, r *result) error {
	binary, err := p.tests(ctx, r, simulation)
	if err != nil {
		return err
	}
	return p.runTests(ctx, r, binary, simulation, "TestEachStep|TestProviderFaults|TestEachCommand", "-all", "-stride", "1", "-thin", "1")
}

func matrix(ctx context.Context, p *prover, r *result) error {
	const folder = "internal/matrix"
	binary, err := p.tests(ctx, r, folder)
	if err != nil {
		return err
	}
	return p.runTests(ctx, r, binary, folder, "TestCrashMatrix", "-all")
}

func selftest(ctx context.Context, p *prover, r *result) error {
	binary := filepath.Join(p.temp, "easel-selftest")
	if err := p.build(ctx, r, "build", "-o", p.temp+"/", "./cmd/easel-selftest", "./cmd/easel"); err != nil {
		return err
	}
	p.show.status("selftest: running for %s", p.selftest)
	c := p.command(ctx, ".", binary, "--for", p.selftest.String(), "--json")
	c.Stdout, c.Stderr = r.log, r.log
	if err := c.Run(); err != nil {
		r.failed("easel-selftest: " + err.Error())
		return nil
	}
	r.passed()
	return nil
}

// mutants also lives through the same with easel as it is, in which nothing may
// be found.
func mutants(ctx context.Context, p *prover, r *result) error {
	note := func(one sabotage.Result, wanted sabotage.Outcome) {
		name := one.Mutant.Name + ": " + string(one.Outcome)
		if wanted == sabotage.Missed && one.Outcome == wanted {
			name = one.Mutant.Name + ": nothing found"
		}
		if len(one.Violated) > 0 {
			name += " by " + strings.Join(one.Violated, " ")
		}
		p.show.line("mutants: %s in %s", name, seconds(one.Took.Seconds()))
		fmt.Fprintf(r.log, "=== %s\n%s\n", name, one.Output)
		if one.Outcome == wanted {
			r.passed()
		} else {
			r.failed(name)
		}
	}
	chosen := spread(sabotage.Mutants, p.mutants)
	for i, m := range chosen {
		p.show.status("mutants: %d of %d, %s", i+1, len(chosen), m.Name)
		one, err := sabotage.Run(ctx, p.root, m)
		if err != nil {
			return err
		}
		note(one, sabotage.Caught)
	}
	p.show.status("mutants: the same with easel as it is")
	control, err := sabotage.Control(ctx, p.root, chosen)
	for _, one := range control {
		note(one, sabotage.Missed)
	}
	return err
}

// spread returns n of all, at equal distances; all of them if n is 0 or more than there are.
func spread[T any](all []T, n int) []T {
	if n == 0 || n > len(all) {
		return all
	}
	some := make([]T, n)
	for i := range some {
		some[i] = all[i*len(all)/n]
	}
	return some
}

// tests builds the tests of a package.
func (p *prover) tests(ctx context.Context, r *result, folder string) (binary string, err error) {
	if _, err := os.Stat(filepath.Join(p.root, folder)); err != nil {
		return "", err
	}
	binary = filepath.Join(p.temp, strings.ReplaceAll(folder, "/", "-")+".test")
	return binary, p.build(ctx, r, "test", "-c", "-o", binary, "./"+folder)
}
