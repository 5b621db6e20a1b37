package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// core are the rooms that fail for reasons which others put into words.
var core = []string{"task", "store", "enqueue", "worker", "provider", "limit", "callback", "picture", "guard", "gc", "waiting"}

// typed finds a command of easel's in a text.
var typed = regexp.MustCompile("`easel|\\beasel (up|worker|demo|enqueue|list|show|watch|retry|give-up|cancel|dlq|queues|doctor|ping|providers|migrate|help)\\b")

// TestTheCoreNamesNoCommand reads all texts of those rooms: they are shown on pages, in
// Chinese and to programs as well, and whoever presents a failure adds what to type.
func TestTheCoreNamesNoCommand(t *testing.T) {
	// Said before there is a table to fail in, to whoever starts a program.
	allowed := []string{"easel's tables are missing in this database, or older than this program: run `easel migrate up`"}
	eachText(t, core, func(where token.Position, text string) {
		if typed.MatchString(text) && !slices.Contains(allowed, text) {
			t.Errorf("%s: %q names a command; say it by a task.Advice", where, text)
		}
	})
}

func TestCommandsAreFound(t *testing.T) {
	for text, want := range map[string]bool{"`easel show` says how to go on": true, "run easel retry 7": true, "easel or an adapter of it panicked": false, "what easel shows": false} {
		if typed.MatchString(text) != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}

// TestAdviceIsOneOfTheCodes looks at what is given as Advice: a constant of task, or what
// another failure has. A text would compile, and nobody could put it into words.
func TestAdviceIsOneOfTheCodes(t *testing.T) {
	given := 0
	eachFile(t, append([]string{"cmd", "internal/app", "internal/config", "internal/fakeprovider"}, core...), func(places *token.FileSet, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			if pair, ok := n.(*ast.KeyValueExpr); ok {
				if key, ok := pair.Key.(*ast.Ident); ok && strings.HasSuffix(key.Name, "Advice") {
					given++
					if isText(pair.Value) {
						t.Errorf("%s: this is a text and no code", places.Position(pair.Pos()))
					}
				}
			}
			if set, ok := n.(*ast.AssignStmt); ok {
				for i, to := range set.Lhs {
					field, ok := to.(*ast.SelectorExpr)
					if !ok || !strings.HasSuffix(field.Sel.Name, "Advice") || len(set.Rhs) != len(set.Lhs) {
						continue
					}
					given++
					if isText(set.Rhs[i]) {
						t.Errorf("%s: this is a text and no code", places.Position(set.Pos()))
					}
				}
			}
			return true
		})
	})
	if given < 150 {
		t.Fatalf("only %d found", given)
	}
}

// isText reports whether e is spelled out; nothing at all is no advice.
func isText(e ast.Expr) bool {
	text, ok := e.(*ast.BasicLit)
	return ok && text.Value != `""`
}

func eachText(t *testing.T, rooms []string, do func(token.Position, string)) {
	eachFile(t, rooms, func(places *token.FileSet, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
				said, err := strconv.Unquote(text.Value)
				if err != nil {
					t.Fatal(err)
				}
				do(places.Position(text.Pos()), said)
			}
			return true
		})
	})
}

// eachFile parses what of the rooms is no test.
func eachFile(t *testing.T, rooms []string, do func(*token.FileSet, *ast.File)) {
	t.Helper()
	read := 0
	for _, room := range rooms {
		err := filepath.WalkDir(filepath.Join("../..", room), func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || strings.Contains(file, "storetest") {
				return err
			}
			places := token.NewFileSet()
			f, err := parser.ParseFile(places, file, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			do(places, f)
			read++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 100 {
		t.Fatalf("only %d files read", read)
	}
}
