package sabotage

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func TestMutants(t *testing.T) {
	invariants := []string{"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "P6"}
	names := make(map[string]bool)
	house := listed(t)
	for _, m := range Mutants {
		t.Run(m.Name, func(t *testing.T) {
			if names[m.Name] || m.Rule == "" || len(m.Edits) == 0 || !complete(m) {
				t.Errorf("incomplete, or its name is not its own: %+v", m)
			}
			names[m.Name] = true
			for _, id := range m.Violates {
				if !slices.Contains(invariants, id) {
					t.Errorf("%s is no invariant", id)
				}
			}
			for _, file := range m.Files() {
				source, err := os.ReadFile(filepath.Join(root, file))
				if err != nil {
					t.Fatal(err)
				}
				text, err := m.Text(file, string(source))
				if err != nil {
					t.Fatal(err) // the text to replace does not stand there once
				}
				if text == string(source) {
					t.Errorf("%s stays as it was", file)
				}
				if _, err := parser.ParseFile(token.NewFileSet(), file, text, 0); err != nil {
					t.Error(err)
				}
				if neat, err := format.Source([]byte(text)); err != nil || string(neat) != text {
					t.Errorf("%s is not formatted: %v", file, err)
				}
			}
			if err := house.check(m); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("There are fifteen at least", func(t *testing.T) {
		if len(Mutants) < 15 {
			t.Errorf("there are %d", len(Mutants))
		}
	})
}

// complete reports whether the mutant says in one way what catches it.
func complete(m Mutant) bool {
	l := m.Lives
	if l.Test.Package != "" {
		return l == (Lives{Test: l.Test}) && l.Test.Run != "" && len(m.Violates) == 0
	}
	return l.Test.Run == "" && len(m.Violates) > 0 && (l.Seeds == 0) != (l.Placed == "") && (l.Times == 0) == (l.Placed == "")
}

func TestText(t *testing.T) {
	m := Mutant{Edits: []Edit{{"a.go", "one", "two"}}}
	for _, c := range []struct{ claim, source, text, err string }{
		{"The text is replaced where it stands", "x one y", "x two y", ""},
		{"A text that is not there is an error", "x 1 y", "", "0 times"},
		{"A text that stands there twice is an error", "one one", "", "2 times"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			text, err := m.Text("a.go", c.source)
			if text != c.text || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
	t.Run("Another file stays as it is", func(t *testing.T) {
		if text, err := m.Text("b.go", "no such text"); text != "no such text" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
	})
}

func TestJudge(t *testing.T) {
	failed := exec.Command("false").Run()
	const money, fence = "      I3 task 1 t-000001: charged 2 times\n", "    I4 task 2 t-000002: no order\n"
	for _, c := range []struct {
		claim, said string
		err         error
		outcome     Outcome
		first       string
	}{
		{"A violation of what it must violate catches it", fence + money + "--- FAIL\n", failed, Caught, "I3 task 1 t-000001: charged 2 times"},
		{"A violation of anything else does not", fence, failed, Beside, "I4 task 2 t-000002: no order"},
		{"A run without violation misses it", "PASS\n", nil, Missed, ""},
		{"A run that fails for another reason does not catch it", "--- FAIL: TestX\n", failed, Beside, ""},
		{"A panic does not catch it", money + "\npanic: deadlock\n", failed, Crashed, "I3 task 1 t-000001: charged 2 times"},
		{"A run that does not end does not catch it", money + "\npanic: test timed out after 10m0s\n", failed, Hung, "I3 task 1 t-000001: charged 2 times"},
		{"A simulation that cannot be started does not catch it", "", os.ErrNotExist, Crashed, ""},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := Result{Mutant: Mutant{Violates: []string{"I3"}}}
			if r.judge(c.said, c.err); r.Outcome != c.outcome || r.First != c.first {
				t.Errorf("%s, %q", r.Outcome, r.First)
			}
		})
	}
}

func TestJudgeOfATest(t *testing.T) {
	failed := exec.Command("false").Run()
	for _, c := range []struct {
		claim, said string
		err         error
		outcome     Outcome
		first       string
	}{
		{"A test that fails catches it", "--- FAIL: TestX (0.0s)\n    --- FAIL: TestX/claim (0.0s)\n", failed, Caught, "TestX/claim (0.0s)"},
		{"Tests that pass miss it", "--- PASS: TestX (0.0s)\n", nil, Missed, ""},
		{"Servers that do not start do not catch it", "no postgres\n", failed, Beside, ""},
		{"A panic does not catch it", "--- FAIL: TestX (0.0s)\npanic: nil\n", failed, Crashed, "TestX (0.0s)"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := Result{Mutant: Mutant{Lives: Lives{Test: Test{"worker", "TestX"}}}}
			if r.judge(c.said, c.err); r.Outcome != c.outcome || r.First != c.first {
				t.Errorf("%s, %q", r.Outcome, r.First)
			}
		})
	}
}

func TestControl(t *testing.T) {
	t.Run("Seeds that overlap are lived through once", func(t *testing.T) {
		got := union([]Mutant{{Lives: Lives{First: 30, Seeds: 5}}, {Lives: Lives{First: 1, Seeds: 20}}, {Lives: Lives{Placed: "TestX"}},
			{Lives: Lives{First: 11, Seeds: 15}}, {Lives: Lives{Placed: "TestX"}}})
		if want := []Lives{{First: 1, Seeds: 25}, {First: 30, Seeds: 5}, {Placed: "TestX"}}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// house is what the type checker needs of the packages that there are.
type house struct {
	files   map[string][]string // of a package by its folder
	exports map[string]string   // the file of what a package exports, by its import path
}

func listed(t *testing.T) house {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-json=Dir,ImportPath,Export,GoFiles"}
	for _, m := range Mutants {
		for _, file := range m.Files() {
			args = append(args, "./"+path.Dir(file))
		}
	}
	list := exec.CommandContext(t.Context(), "go", args...)
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	h := house{files: make(map[string][]string), exports: make(map[string]string)}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p struct {
			Dir, ImportPath, Export string
			GoFiles                 []string
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		h.files[p.Dir], h.exports[p.ImportPath] = p.GoFiles, p.Export
	}
	return h
}

// check reports what of the mutant's packages does not compile, each by itself.
func (h house) check(m Mutant) error {
	changed := make(map[string]bool)
	for _, file := range m.Files() {
		changed[filepath.Dir(file)] = true
	}
	var errs []error
	for folder := range changed {
		fset := token.NewFileSet()
		dir, err := filepath.Abs(filepath.Join(root, folder))
		if err != nil {
			return err
		}
		var files []*ast.File
		for _, name := range h.files[dir] {
			source, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			text, err := m.Text(path.Join(filepath.ToSlash(folder), name), string(source))
			if err != nil {
				return err
			}
			file, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			files = append(files, file)
		}
		config := types.Config{Error: func(err error) { errs = append(errs, err) },
			Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(h.exports[path]) })}
		config.Check(folder, fset, files, nil) // whose errors have been noted
	}
	return errors.Join(errs...)
}
