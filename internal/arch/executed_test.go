package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// callers are the rooms that call services, or speak of calls that were made or not.
var callers = []string{"task", "store", "enqueue", "queue", "worker", "provider", "limit", "callback", "picture", "waiting", "web", "guard", "gc", "cmd", "internal/app", "internal/fakeprovider"}

// TestEachFailureSaysWhetherItsCallWasCarriedOut reads the literals of failures and of
// the rows of tables of errors: one that forgets to say would have the machine guess.
func TestEachFailureSaysWhetherItsCallWasCarriedOut(t *testing.T) {
	eachFile(t, callers, func(places *token.FileSet, f *ast.File) {
		for _, silent := range silentFailures(f) {
			t.Errorf("%s: this failure does not say Executed", places.Position(silent.Pos()))
		}
	})
}

func TestSilentFailuresAreFound(t *testing.T) {
	const begin = "package p\nvar _ = "
	for source, want := range map[string]int{
		"&task.Failure{Kind: task.Invalid}":                    1,
		"&task.Failure{Kind: task.Invalid, Executed: task.No}": 0,
		"task.Failure{}":       1,
		"[]*task.Failure{nil}": 0,
		"provider.Faults{{Code: \"a\"}, {Code: \"b\", Executed: task.Yes}}":         1,
		"provider.Fault{Kind: task.Auth}":                                           1,
		"map[string]task.Failure{\"a\": {Kind: task.Auth}}":                         1,
		"[]struct{ row Fault }{{Fault{Kind: task.Auth}}}":                           1,
		"[]struct{ row Fault }{{Fault{Kind: task.Auth, Executed: task.No}}}":        0,
		"slices.Concat(faults, provider.Faults{{Code: \"a\", Kind: task.Timeout}})": 1,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "p.go", begin+source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(silentFailures(f)); got != want {
			t.Errorf("%s: %d found, want %d", source, got, want)
		}
	}
}

// silentFailures returns the literals of task.Failure and provider.Fault that leave
// Executed out. The zero Fault, which is no row, may.
func silentFailures(f *ast.File) (silent []*ast.CompositeLit) {
	check := func(l *ast.CompositeLit, name string) {
		if name == "Failure" || name == "Fault" && len(l.Elts) > 0 {
			for _, e := range l.Elts {
				if pair, ok := e.(*ast.KeyValueExpr); ok {
					if key, ok := pair.Key.(*ast.Ident); ok && key.Name == "Executed" {
						return
					}
				}
			}
			silent = append(silent, l)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		l, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		check(l, typeName(l.Type))
		for _, e := range l.Elts {
			if pair, ok := e.(*ast.KeyValueExpr); ok {
				e = pair.Value
			}
			if row, ok := e.(*ast.CompositeLit); ok && row.Type == nil {
				check(row, elementName(l.Type))
			}
		}
		return true
	})
	return silent
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// elementName is the type of the elements of a slice or map; of Faults it is Fault.
func elementName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.ArrayType:
		return typeName(e.Elt)
	case *ast.MapType:
		return typeName(e.Value)
	}
	return strings.TrimSuffix(typeName(e), "s")
}
