package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// proverIn is a prover whose module lies in a folder of its own, with one package.
func proverIn(t *testing.T, tests string) *prover {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.test\n\ngo 1.26.0\n", "a_test.go": "package a\n\nimport \"testing\"\n\n" + tests} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &prover{root: root, temp: t.TempDir(), choices: choices{logs: t.TempDir()}, show: newProgress(t.Output())}
}

// lived runs the tests of the package as a part.
func lived(p *prover) result {
	return p.live(context.Background(), part{name: "some", run: func(ctx context.Context, p *prover, r *result) error {
		binary, err := p.tests(ctx, r, ".")
		if err != nil {
			return err
		}
		return p.runTests(ctx, r, binary, ".", "TestA|TestB")
	}})
}

func TestPart(t *testing.T) {
	for _, c := range []struct {
		claim, tests string
		cases        int
		failed       []string
		ok           bool
		err          string
	}{
		{"Tests without subtests are cases", `func TestA(t *testing.T) { t.Run("x", func(t *testing.T) {}); t.Run("y z", func(t *testing.T) { t.Parallel() }) }
func TestB(t *testing.T) {}`, 3, []string{}, true, ""},
		{"One that fails is named, and no other", `func TestA(t *testing.T) { t.Run("x", func(t *testing.T) { t.Error() }); t.Run("y", func(t *testing.T) {}) }`,
			2, []string{"TestA/x"}, false, ""},
		{"A skipped one has shown nothing", `func TestA(t *testing.T) { t.Skip() }`, 1, []string{"TestA (skipped)"}, false, ""},
		{"Without a case nothing holds", `func TestC(t *testing.T) {}`, 0, []string{}, false, ""},
		{"A panic is no end", `func TestA(t *testing.T) { t.Run("x", func(t *testing.T) {}); panic("gone") }`, 1, []string{}, false, "panic: gone"},
		{"A test that fails beside its subtests is no success", `func TestA(t *testing.T) { t.Run("x", func(t *testing.T) {}); t.Error() }`,
			1, []string{}, false, "exit status 1"},
		{"What does not compile has not run", `func TestA(t *testing.T) { nothing() }`, 0, []string{}, false, "go test"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			r := lived(proverIn(t, c.tests))
			if r.Cases != c.cases || r.Passed != c.cases-len(c.failed) || !slices.Equal(r.Failed, c.failed) || r.OK != c.ok || !strings.Contains(r.Error, c.err) || (c.err == "") != (r.Error == "") {
				t.Errorf("%+v", r)
			}
		})
	}
	t.Run("What was printed stays in the log", func(t *testing.T) {
		r := lived(proverIn(t, `func TestA(t *testing.T) { t.Log("so it was") }`))
		if said, err := os.ReadFile(r.Log); err != nil || !strings.Contains(string(said), "so it was") {
			t.Errorf("%q, %v", said, err)
		}
	})
	t.Run("An interrupt leaves the rest undone", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		p := proverIn(t, "")
		var out bytes.Buffer
		code := p.prove(ctx, []part{{name: "one", run: func(_ context.Context, _ *prover, r *result) error { r.passed(); cancel(); return nil }}, {name: "two"}}, &out)
		if code != exitFailed || strings.Count(out.String(), "context canceled") != 2 {
			t.Errorf("%d:\n%s", code, &out)
		}
	})
}

func TestReport(t *testing.T) {
	held := result{Part: "placed", Cases: 5, Passed: 5, OK: true, Took: 61}
	bad := result{Part: "seeds", Cases: 40, Passed: 15, Failed: slices.Repeat([]string{"TestRandomSchedules/seeds/7"}, 25), Took: 2, Log: "x/seeds.log"}
	gone := result{Part: "matrix", Failed: []string{}, Error: "no such folder"}
	t.Run("It is one table, and then what failed", func(t *testing.T) {
		var out bytes.Buffer
		if err := (report{Parts: []result{held, bad, gone}}).print(&out, false); err != nil {
			t.Fatal(err)
		}
		want := `
PART    CASES  PASSED  TOOK  VERDICT
placed      5       5  1m1s  holds
seeds      40      15    2s  FAILED 25
matrix      0       0    0s  NOT RUN

seeds:
` + strings.Repeat("  TestRandomSchedules/seeds/7\n", most) + `  and 5 more
  all it printed is in x/seeds.log

matrix:
  no such folder
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("JSON has all of it", func(t *testing.T) {
		var out bytes.Buffer
		want := report{OK: true, Took: 3, Parts: []result{bad}}
		err := want.print(&out, true)
		var got report
		if err = errors.Join(err, json.Unmarshal(out.Bytes(), &got)); err != nil || cmp.Diff(want, got, cmp.AllowUnexported(result{})) != "" {
			t.Errorf("%v in %s", err, &out)
		}
	})
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		claim string
		args  []string
		code  int
		said  string
	}{
		{"Help names the parts", []string{"--help"}, exitHeld, "mutants   versions of easel"},
		{"A part that is none is refused", []string{"--only", "seeds,all"}, exitUsage, `there is no part "all"`},
		{"A number of seeds below one is refused", []string{"--seeds", "0"}, exitUsage, "seeds is 0"},
		{"A selftest of no time is refused", []string{"--selftest", "0s"}, exitUsage, "selftest is 0s"},
		{"A number of mutants below zero is refused", []string{"--mutants", "-1"}, exitUsage, "mutants is -1"},
		{"What is no flag is refused", []string{"seeds"}, exitUsage, `["seeds"] is no flag`},
		{"A flag that is none is refused", []string{"--fast"}, exitUsage, "-fast"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(context.Background(), c.args, &stdout, &stderr); code != c.code || !strings.Contains(stderr.String(), c.said) || stdout.Len() > 0 {
				t.Errorf("%d: %s%s", code, &stdout, &stderr)
			}
		})
	}
	t.Run("Parts run in their own order", func(t *testing.T) {
		chosen, err := choices{only: "seeds,placed", seeds: 1, first: 1, selftest: 1e9}.validate(nil)
		if err != nil || len(chosen) != 2 || chosen[0].name != "placed" || chosen[1].name != "seeds" {
			t.Errorf("%v, %v", chosen, err)
		}
	})
}

func TestSpread(t *testing.T) {
	all := []int{0, 1, 2, 3, 4, 5, 6}
	for n, want := range map[int][]int{0: all, 1: {0}, 3: {0, 2, 4}, 7: all, 8: all} {
		if diff := cmp.Diff(want, spread(all, n)); diff != "" {
			t.Errorf("%d of %d: %s", n, len(all), diff)
		}
	}
}

func TestProgress(t *testing.T) {
	t.Run("A terminal has a last line that changes", func(t *testing.T) {
		var out bytes.Buffer
		p := &progress{out: &out, terminal: true, width: 9}
		p.status("%d of 2000 seeds", 7)
		p.line("done")
		if got := out.String(); got != clearLine+"7 of 200"+clearLine+"done\n" {
			t.Errorf("%q", got)
		}
	})
	t.Run("Elsewhere only what has ended is said", func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out)
		p.status("going on")
		p.line("done")
		if out.String() != "done\n" {
			t.Errorf("%q", &out)
		}
	})
}
