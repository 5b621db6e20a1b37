package arch

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestTypesOnMacOS checks the types of easel as it is built for macOS, without what `make portable` spends
// minutes on: machine code of all that it imports. Functions of other modules are not looked into.
func TestTypesOnMacOS(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap,Module", module+"/cmd/easel")
	list.Env = append(os.Environ(), "GOOS=darwin", "GOARCH=arm64", "CGO_ENABLED=0")
	list.Stderr = os.Stderr
	out, err := list.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := list.Start(); err != nil {
		t.Fatal(err)
	}
	known, fset, ours := map[string]*types.Package{"unsafe": types.Unsafe}, token.NewFileSet(), 0
	for packages := json.NewDecoder(out); ; { // each comes after those that it imports
		var p listed
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.ImportPath == "unsafe" {
			continue
		}
		p.check(t, fset, known)
		if p.ours() {
			ours++
		}
	}
	if err := list.Wait(); err != nil {
		t.Fatal(err)
	}
	if ours < 20 {
		t.Errorf("only %d packages of ours were checked", ours)
	}
}

// listed is a package, as go list tells of it.
type listed struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string // what imports stand for, where it is not what they say
	Module          *struct{ Path string }
}

func (p *listed) ours() bool { return p.Module != nil && p.Module.Path == module }

func (p *listed) check(t *testing.T, fset *token.FileSet, known map[string]*types.Package) {
	t.Helper()
	var files []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	c := types.Config{
		Importer:         imports{p.ImportMap, known},
		Sizes:            types.SizesFor("gc", "arm64"),
		IgnoreFuncBodies: !p.ours(),
		Error:            func(err error) { t.Error(err) },
	}
	known[p.ImportPath], _ = c.Check(p.ImportPath, fset, files, nil)
}

// imports are those of one package.
type imports struct {
	renamed map[string]string
	known   map[string]*types.Package
}

func (i imports) Import(path string) (*types.Package, error) {
	if other := i.renamed[path]; other != "" {
		path = other
	}
	if p := i.known[path]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%s is not listed before those that import it", path)
}
