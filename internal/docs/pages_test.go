package docs

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// chinese is the Chinese page that belongs to an English one.
func chinese(t *testing.T, p *page) *page {
	t.Helper()
	if p.path == "README.md" {
		return read(t, "README.zh.md")
	}
	return read(t, filepath.Join("docs", "zh", filepath.Base(p.path)))
}

func TestEachPageIsThereInChinese(t *testing.T) {
	known := map[string]bool{}
	for _, p := range english(t) {
		t.Run(p.path, func(t *testing.T) {
			zh := chinese(t, p)
			known[zh.path] = true
			if diff := cmp.Diff(depths(p.headings), depths(zh.headings)); diff != "" {
				t.Errorf("the headings of %s (-) and %s (+): %s", p.path, zh.path, diff)
			}
			if diff := cmp.Diff(rows(p), rows(zh)); diff != "" {
				t.Errorf("the tables of %s (-) and %s (+): %s", p.path, zh.path, diff)
			}
			compareBlocks(t, p, zh)
		})
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "zh", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pages {
		if !known[filepath.Join("docs", "zh", filepath.Base(path))] {
			t.Errorf("%s has no English page", path)
		}
	}
}

// depths are how deep the headings are, in their order.
func depths(headings []string) (all []int) {
	for _, h := range headings {
		all = append(all, len(h)-len(strings.TrimLeft(h, "#")))
	}
	return all
}

// rows are how many rows each table has.
func rows(p *page) (all []int) {
	in := false
	for _, line := range p.prose {
		row := strings.HasPrefix(line, "|")
		switch {
		case row && in:
			all[len(all)-1]++
		case row:
			all = append(all, 1)
		}
		in = row
	}
	return all
}

func compareBlocks(t *testing.T, p, zh *page) {
	t.Helper()
	if len(p.blocks) != len(zh.blocks) {
		t.Errorf("%s has %d blocks, %s %d", p.path, len(p.blocks), zh.path, len(zh.blocks))
		return
	}
	for i, b := range p.blocks {
		if diff := cmp.Diff(plain(b), plain(zh.blocks[i])); diff != "" || b.language != zh.blocks[i].language {
			t.Errorf("block %d of %s (-) and of %s (+), without comments and prompts: %s", i+1, p.path, zh.path, diff)
		}
	}
}

// comments are those of each language.
var comments = map[string]*regexp.Regexp{"sh": regexp.MustCompile(`(?m)\s*#.*$`), "yaml": regexp.MustCompile(`(?m)\s*#.*$`),
	"python": regexp.MustCompile(`(?m)\s*#.*$`),
	"go":     regexp.MustCompile(`(?m)\s*//[^/].*$`), "sql": regexp.MustCompile(`(?m)\s*--.*$`)}

var quoted = regexp.MustCompile(`"[^"\n]*"|'[^'\n]*'`)

// forPeople matches a text that is no name and no value: a prompt, a title, a statement.
var forPeople = regexp.MustCompile(`[ \p{Han}]`)

// plain is a block as machines read it, a line for each, without what is for people.
func plain(b block) (all []string) {
	text := b.text
	if c := comments[b.language]; c != nil {
		text = c.ReplaceAllString(text, "")
	}
	text = quoted.ReplaceAllStringFunc(text, func(q string) string {
		if forPeople.MatchString(q) {
			return "…"
		}
		return q
	})
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \n"); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// half is a Chinese character with a mark of the other width after it, or before it.
var half = regexp.MustCompile(`\p{Han}[,.:;?!()]|[,;:?!(]\p{Han}`)

func TestChineseTextHasChinesePunctuation(t *testing.T) {
	for _, p := range english(t) {
		zh := chinese(t, p)
		han := 0
		for i, line := range zh.prose {
			line = code.ReplaceAllString(link.ReplaceAllString(line, "$1"), "x")
			if found := half.FindString(line); found != "" {
				t.Errorf("%s:%d: %q in %s", zh.path, i+1, found, line)
			}
			for _, r := range line {
				if unicode.Is(unicode.Han, r) {
					han++
				}
			}
		}
		if han < 100 {
			t.Errorf("%s has %d Chinese characters", zh.path, han)
		}
	}
}

var (
	code = regexp.MustCompile("`[^`]*`")
	link = regexp.MustCompile(`\[([^\]]*)\]\(([^)]+)\)`)
)

func TestLinksLeadSomewhere(t *testing.T) {
	var all []*page
	for _, p := range english(t) {
		all = append(all, p, chinese(t, p))
	}
	all = append(all, read(t, "deploy/RUNBOOK.md"))
	for _, p := range all {
		found := link.FindAllStringSubmatch(strings.Join(p.prose, "\n"), -1)
		for _, l := range found {
			u, err := url.Parse(l[2])
			if err != nil || u.Fragment != "" {
				t.Errorf("%s: %q cannot be looked up (%v)", p.path, l[2], err)
			}
			if err != nil || u.Scheme != "" {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(p.path), u.Path)); err != nil {
				t.Errorf("%s: %v", p.path, err)
			}
		}
	}
	for _, p := range english(t)[1:] {
		name := filepath.Base(p.path)
		if name != "README.md" && !(strings.Contains(read(t, "README.md").text, "(docs/"+name+")") && strings.Contains(read(t, "docs/README.md").text, "("+name+")")) {
			t.Errorf("README.md and docs/README.md do not both lead to %s", p.path)
		}
	}
}

// TestTheRunbookQuotesWhatTheProgramSays looks for each sentence that the runbook quotes in
// the program's own text; NAME and … stand for what is told anew each time.
func TestTheRunbookQuotesWhatTheProgramSays(t *testing.T) {
	var source strings.Builder
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == ".git" {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		source.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	quotes := 0
	for _, quote := range code.FindAllString(strings.Join(read(t, "deploy/RUNBOOK.md").prose, " "), -1) {
		quote = strings.Trim(quote, "`")
		if !strings.Contains(quote, " ") || command.MatchString(quote) {
			continue
		}
		quotes++
		for _, part := range placeholder.Split(quote, -1) {
			if part = strings.TrimSpace(part); !strings.Contains(source.String(), part) {
				t.Errorf("no source says %q of %q", part, quote)
			}
		}
	}
	if quotes < 8 {
		t.Errorf("%d quotes were found", quotes)
	}
}

var (
	command     = regexp.MustCompile(`^easel |=|^(appendonly|maxmemory-policy|idle) `)
	placeholder = regexp.MustCompile(`NAME|…`)
)
