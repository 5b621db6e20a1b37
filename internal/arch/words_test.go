package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// formerNames are methods of former releases, as comments would name them.
var formerNames = regexp.MustCompile(`\b(?:Store\.(?:Beat|Leave|Served|Stopped|Bury)|see (?:Served|Stopped|Beat|Leave|Bury)|as for Beat|array of Kept)\b`)

// formerWords are what the house once said for publish, delivery, archive, unknown outcome,
// wake-up and callback. Who knows asynq and Postgres knows the words that took their place.
var formerWords = regexp.MustCompile(`(?i)\b(rung|rang|rings|ringing|unr[iu]ng\w*|doorbells?|bells?|parked|parks?|parking|unpark\w*|desks?|doubtful|spared|studios?|fates?|rehearsals?|webhook_secret|in doubt|the doubt)\b`)

// allowed is where such a word is meant as it stands, and why.
var allowed = map[string]string{
	"CHANGELOG.md":                "it tells what was renamed",
	"provider/dashscope":          "Model Studio is the name of a product",
	"queue/verdict.go":            "what a former release wrote is understood",
	"queue/wakeup.go":             "the channel keeps its name for workers of a former release",
	"queue/rights_test.go":        "the same channel",
	"internal/config":             "former names in easel.yaml are read",
	"internal/cli/clean":          "a terminal has a bell",
	"internal/arch/words_test.go": "here they are listed",
	"web/chinese_test.go":         "it looks for one of them",
}

func TestFormerWords(t *testing.T) {
	used := make(map[string]bool)
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel("../..", path)
		if err != nil {
			return err
		}
		switch filepath.Ext(name) {
		case ".go", ".md", ".html", ".css", ".sql", ".yaml", ".yml":
		default:
			if d.IsDir() && strings.HasPrefix(d.Name(), ".") && name != "." {
				return filepath.SkipDir
			}
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			word := formerWords.FindString(line) + formerNames.FindString(line)
			if word == "" {
				continue
			}
			excused := false
			for at := range allowed {
				if strings.HasPrefix(filepath.ToSlash(name), at) {
					excused, used[at] = true, true
				}
			}
			if !excused {
				t.Errorf("%s:%d says %q: %s", name, i+1, word, strings.TrimSpace(line))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for at := range allowed {
		if !used[at] {
			t.Errorf("%s says none of them any more", at)
		}
	}
}
