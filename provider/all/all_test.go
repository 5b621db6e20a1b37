package all_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/all"
)

func TestEveryAdapterIsListed(t *testing.T) {
	files, err := filepath.Glob("../*/kind.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d adapters found: %v", len(files), err)
	}
	if len(files) != len(all.Kinds) {
		t.Errorf("%d folders hold a kind.go and %d kinds are listed: %q", len(files), len(all.Kinds), all.Kinds.Names())
	}
	names := make(map[string]bool)
	for _, k := range all.Kinds {
		if names[k.Name] {
			t.Errorf("%s is listed twice", k.Name)
		}
		names[k.Name] = true
		if _, err := os.Stat(filepath.Join("..", strings.ReplaceAll(k.Name, "_", ""), "testdata")); err != nil && k.Name != all.Free {
			t.Errorf("%s has no testdata: %v", k.Name, err)
		}
	}
}

func TestEveryKindMakesAnAccount(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z_]{0,30}$`)
	variable := regexp.MustCompile(`^[A-Z][A-Z_]{0,40}$`)
	for _, k := range all.Kinds {
		t.Run(k.Name, func(t *testing.T) {
			if !name.MatchString(k.Name) {
				t.Errorf("its name is %q", k.Name)
			}
			if k.KeyVariable != "" && !variable.MatchString(k.KeyVariable) {
				t.Errorf("its variable is %q", k.KeyVariable)
			}
			if k.ProbePath != "" && !strings.HasPrefix(k.ProbePath, "/") {
				t.Errorf("it is probed at %q", k.ProbePath)
			}
			p, err := k.New(provider.AccountConfig{BaseURL: "http://127.0.0.1", Key: "id:secret", Client: &provider.Client{}})
			if err != nil {
				t.Fatal(err)
			}
			can := p.Capabilities(k.DefaultModel)
			if can.MaxImages < 1 || can.Sizes == "" {
				t.Errorf("it says that it can do %+v", can)
			}
			if _, reads := p.(provider.CallbackReader); can.Callback != k.Callbacks || reads != k.Callbacks {
				t.Errorf("it calls back: %v by its kind, %v by its abilities, %v by its methods", k.Callbacks, can.Callback, reads)
			}
			if k.BaseURL == "" {
				return
			}
			if _, err := k.New(provider.AccountConfig{Key: "id:secret", Client: &provider.Client{}}); err != nil {
				t.Errorf("without a base URL: %v", err)
			}
		})
	}
}

// TestNobodyElseNamesAService reads the program: what decides by a service's name would
// be one more place to change for a new adapter.
func TestNobodyElseNamesAService(t *testing.T) {
	const root = "../.."
	// internal/selftest says which adapters speak to its fake service.
	tests := regexp.MustCompile(`^(provider/.*|internal/selftest|internal/sabotage|store/storetest)$`)
	read := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		if dir, _ := filepath.Rel(root, filepath.Dir(path)); tests.MatchString(filepath.ToSlash(dir)) {
			return nil
		}
		read++
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			text, ok := n.(*ast.BasicLit)
			if !ok || text.Kind != token.STRING {
				return true
			}
			value, _ := strconv.Unquote(text.Value)
			if _, is := all.Kinds.Named(value); is {
				t.Errorf("%s names the service %q; what easel knows of it belongs into its Kind", path, value)
			}
			return true
		})
		return nil
	})
	if err != nil || read < 100 {
		t.Fatalf("%d files read: %v", read, err)
	}
}
