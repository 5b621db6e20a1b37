// Package arch holds one test: which package may import which.
package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/easelqueue/easel"

// pkg is one package of ours and what its files import, for every platform.
type pkg struct{ imports, tests []string }

func TestImports(t *testing.T) {
	found := packages(t, "../..")
	if len(found) < 3 {
		t.Fatalf("only %d packages found", len(found))
	}
	for name, p := range found {
		slices.Sort(p.imports)
		slices.Sort(p.tests)
		for _, breach := range breaches(name, pkg{slices.Compact(p.imports), slices.Compact(p.tests)}) {
			t.Error(breach)
		}
	}
}

// TestImportsOfTheShippedProgram follows the imports of cmd/easel all the way.
func TestImportsOfTheShippedProgram(t *testing.T) {
	proof := []string{"check", "internal/selftest", "internal/fakeprovider", "internal/evidence", "internal/throwaway", toxiproxy, porcupine}
	found, seen := packages(t, "../.."), map[string]bool{}
	var follow func(way []string)
	follow = func(way []string) {
		name := way[len(way)-1]
		if seen[name] {
			return
		}
		seen[name] = true
		for _, i := range found[name].imports {
			next := short(i)
			if slices.ContainsFunc(proof, func(p string) bool { return next == p || strings.HasPrefix(next, p+"/") }) {
				t.Errorf("what people run links what proves it: %s imports %s", strings.Join(way, " imports "), next)
			}
			follow(append(slices.Clone(way), next))
		}
	}
	follow([]string{"cmd/easel"})
	if !seen["provider/openai"] || !seen["internal/app"] {
		t.Errorf("the imports were not followed: %d packages seen", len(seen))
	}
}

func TestTable(t *testing.T) {
	const where = "internal/arch/table_test.go"
	for claim, c := range map[string]struct {
		name string
		pkg  pkg
		want string // in the only breach; empty is none
	}{
		"A package without a row is a breach":                {"util", pkg{}, "package util has no row"},
		"The standard library is free to all":                {"task", pkg{imports: []string{"fmt", "net/http"}}, ""},
		"A module outside the row is a breach":               {"task", pkg{imports: []string{zerolog}}, "task may not import " + zerolog},
		"A package of a module in the row is allowed":        {"store", pkg{imports: []string{sqlx + "/reflectx"}}, ""},
		"A module whose name goes on is another module":      {"queue", pkg{imports: []string{asynq + "monitor"}}, "queue may not import"},
		"A package of ours outside the row is a breach":      {"task", pkg{imports: []string{module + "/store"}}, "task may not import store"},
		"A package below one in the row is a breach":         {"limit", pkg{imports: []string{module + "/provider/openai"}}, "limit may not import provider/openai"},
		"What tests may import, the package may not":         {"limit", pkg{imports: []string{miniredis}}, "limit may not import"},
		"Tests may import what their package may, and more":  {"limit", pkg{tests: []string{miniredis, redis, module + "/internal/servertest", module + "/limit"}}, ""},
		"Tests may not import everything":                    {"limit", pkg{tests: []string{sqlx}}, "tests of limit may not import"},
		"Every adapter has the row of adapters":              {"provider/new", pkg{imports: []string{module + "/provider", module + "/picture"}}, "provider/new may not import picture"},
		"An adapter with a row of its own has only that one": {"provider/sketch", pkg{imports: []string{module + "/picture/codec"}}, ""},
		"A package below an adapter has no row":              {"provider/new/util", pkg{}, "no row"},
		"A row may name all packages of a folder":            {"provider/all", pkg{imports: []string{module + "/provider/new"}}, ""},
		"All packages of a folder are not those below them":  {"provider/all", pkg{imports: []string{module + "/provider/new/util"}}, "provider/all may not import"},
		"A command has a list too":                           {"cmd/easel", pkg{imports: []string{module + "/worker"}}, "cmd/easel may not import worker"},
		"What proves easel is for tests of commands":         {"cmd/easel", pkg{imports: []string{module + "/internal/fakeprovider"}}, "cmd/easel may not import internal/fakeprovider"},
		"Nobody imports cmd":                                 {"worker", pkg{imports: []string{module + "/cmd/easel"}}, "worker may not import cmd/easel"},
	} {
		t.Run(claim, func(t *testing.T) {
			got := breaches(c.name, c.pkg)
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want) || !strings.Contains(got[0], where)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// breaches says what is wrong with a package and what to do about it.
func breaches(name string, p pkg) []string {
	const where = "internal/arch/table_test.go"
	r, ok := ruleOf(name)
	if !ok {
		return []string{"package " + name + " has no row: say in " + where + " what it may import"}
	}
	if r.anything {
		return nil
	}
	var out []string
	breach := func(who, imported string, allowed []string) {
		out = append(out, who+" may not import "+imported+", only: "+strings.Join(append([]string{"the standard library"}, allowed...), ", ")+
			". Move the code to where it belongs, or add the arrow to "+where+" and say why in the commit")
	}
	for _, i := range p.imports {
		if !allows(r.imports, i) {
			breach(name, short(i), r.imports)
		}
	}
	forTests := slices.Concat(r.imports, r.tests, everyTest, []string{name})
	for _, i := range p.tests {
		if !allows(forTests, i) {
			breach("tests of "+name, short(i), forTests)
		}
	}
	return out
}

// ruleOf is the package's own row, or the one for all in its folder.
func ruleOf(name string) (rule, bool) {
	if r, ok := table[name]; ok {
		return r, true
	}
	r, ok := table[path.Dir(name)+"/*"]
	return r, ok
}

// allows reports whether the list, or everybody's right to the standard
// library, whose paths begin without a dot, covers the import.
func allows(list []string, imported string) bool {
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return true
	}
	if imported == module || strings.HasPrefix(imported, module+"/") {
		return slices.Contains(list, short(imported)) || slices.Contains(list, path.Dir(short(imported))+"/*")
	}
	return slices.ContainsFunc(list, func(m string) bool { return imported == m || strings.HasPrefix(imported, m+"/") })
}

func short(imported string) string { return strings.TrimPrefix(imported, module+"/") }

// packages reads the imports of every Go file. It does not ask `go list`: go
// test keeps a result until a file changes that the test itself has opened, and
// files for other platforms count too.
func packages(t *testing.T, root string) map[string]pkg {
	t.Helper()
	found := map[string]pkg{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if hidden(d.Name()) || file != root && isModule(file) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		imports, err := importsOf(file)
		name := filepath.ToSlash(rel)
		p := found[name]
		if strings.HasSuffix(file, "_test.go") {
			p.tests = append(p.tests, imports...)
		} else {
			p.imports = append(p.imports, imports...)
		}
		found[name] = p
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// hidden are the folders that the go command does not look into.
func hidden(dir string) bool {
	if dir == "." || dir == ".." {
		return false
	}
	return dir == "testdata" || dir == "vendor" || dir[0] == '.' || dir[0] == '_'
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func importsOf(file string) ([]string, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
