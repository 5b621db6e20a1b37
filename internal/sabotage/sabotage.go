// Package sabotage proves that the tests would notice. It holds versions of
// easel that are broken on purpose, each by a line or two, and runs the
// simulation, or a test, on them: a promise counts as watched over only if breaking what
// holds it up is caught. The source tree is never touched; the compiler is shown
// changed copies of its files (go build -overlay).
package sabotage

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Mutant is a version of easel with one fault in it.
type Mutant struct {
	Name  string // what was done to it
	Rule  string // the rule that this breaks
	Edits []Edit
	// Violates are invariants of package check, of which the simulation must find
	// at least one violated. Anything else that goes wrong does not count. It is
	// empty if Lives names a Test.
	Violates []string
	Lives    Lives
}

// Edit replaces Old, which must stand exactly once in File, by New.
type Edit struct {
	File string // below the root of the module
	Old  string
	New  string
}

// Lives says which part of the simulation a mutant lives through, until the
// first run that fails: random schedules of Seeds seeds from First on, or tests
// of placed faults, over and over, for goroutines do not run in the same order
// each time. What no simulation shows is left to a Test.
type Lives struct {
	First, Seeds int
	Placed       string // a pattern for -run
	Times        int    // how often at most
	Test         Test
}

// Test names ordinary tests, of which at least one must fail.
type Test struct {
	Package string // its folder below the root of the module, as in "worker"
	Run     string // a pattern for -run
}

// Text returns the file with the edits that are for it, or an error if a text
// that an edit replaces does not stand there exactly once: then the source has
// moved on, and the mutant must follow.
func (m Mutant) Text(file, source string) (string, error) {
	for _, e := range m.Edits {
		if e.File != file {
			continue
		}
		if n := strings.Count(source, e.Old); n != 1 {
			return "", fmt.Errorf("mutant %q: %s has the text to replace %d times, and not once:\n%s", m.Name, file, n, e.Old)
		}
		source = strings.Replace(source, e.Old, e.New, 1)
	}
	return source, nil
}

// Files returns the files that the mutant changes, each once.
func (m Mutant) Files() []string {
	var files []string
	seen := make(map[string]bool)
	for _, e := range m.Edits {
		if !seen[e.File] {
			seen[e.File] = true
			files = append(files, e.File)
		}
	}
	return files
}

// overlay writes the changed files of the mutant into folder, and beside them
// the list that go build -overlay reads, whose path it returns.
func (m Mutant) overlay(root, folder string) (string, error) {
	list := struct{ Replace map[string]string }{make(map[string]string)}
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	for i, file := range m.Files() {
		original := filepath.Join(root, filepath.FromSlash(file))
		source, err := os.ReadFile(original)
		if err != nil {
			return "", err
		}
		text, err := m.Text(file, string(source))
		if err != nil {
			return "", err
		}
		changed := filepath.Join(folder, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			return "", err
		}
		list.Replace[original] = changed
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	name := filepath.Join(folder, "overlay.json")
	return name, os.WriteFile(name, text, 0o600)
}
