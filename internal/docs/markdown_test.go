// Package docs has no code: its tests read README.md and docs as a newcomer does, run
// what they tell to run, and hold them to what the program says of itself.
package docs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the top folder, as tests of this package see it.
const root = "../.."

// block is one block of code of a page.
type block struct {
	language string
	text     string
	section  int // of which heading of the second level it stands below, counted from 1
}

// page is a text in Markdown.
type page struct {
	path     string // below root
	text     string
	headings []string // with their marks, such as "## Try it"
	blocks   []block
	prose    []string // lines outside of blocks; those within are empty
}

func read(t *testing.T, path string) *page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	p := &page{path: path, text: string(text)}
	section, open := 0, (*block)(nil)
	for line := range strings.Lines(p.text) {
		line = strings.TrimSuffix(line, "\n")
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			open = &block{language: fence, section: section}
		case isFence:
			p.blocks, open = append(p.blocks, *open), nil
		case open != nil:
			open.text += line + "\n"
		default:
			if strings.HasPrefix(line, "#") {
				p.headings = append(p.headings, line)
			}
			if strings.HasPrefix(line, "## ") {
				section++
			}
			p.prose = append(p.prose, line)
			continue
		}
		p.prose = append(p.prose, "")
	}
	if open != nil {
		t.Fatalf("%s: a block is not closed", path)
	}
	return p
}

// section returns the blocks below a heading of the second level, in their order.
func (p *page) section(t *testing.T, heading string) (all []block) {
	t.Helper()
	second := slices.DeleteFunc(slices.Clone(p.headings), func(h string) bool { return !strings.HasPrefix(h, "## ") })
	at := slices.Index(second, "## "+heading)
	if at < 0 {
		t.Fatalf("%s has no section %q", p.path, heading)
	}
	for _, b := range p.blocks {
		if b.section == at+1 {
			all = append(all, b)
		}
	}
	return all
}

// english returns the README and all pages, in English; the Chinese one of each is chinese.
func english(t *testing.T) []*page {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d pages, %v", len(paths), err)
	}
	all := []*page{read(t, "README.md")}
	for _, path := range paths {
		all = append(all, read(t, filepath.Join("docs", filepath.Base(path))))
	}
	return all
}
