package crash_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/easelqueue/easel/internal/crash"
)

// TestEveryPointIsPassed reads the program: a point under another name would never be met.
func TestEveryPointIsPassed(t *testing.T) {
	called := regexp.MustCompile(`crash\.At\("([^"]*)"\)`)
	var passed []string
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range called.FindAllSubmatch(text, -1) {
			passed = append(passed, string(found[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(crash.Points))
	slices.Sort(passed)
	if got := slices.Compact(passed); !slices.Equal(got, want) {
		t.Errorf("the program passes %q, and the points are %q", got, want)
	}
}
