package docs

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/task"
)

// says runs the program and returns what it prints.
func says(t *testing.T, s *shell, command string) string {
	t.Helper()
	s.line(command, command)
	return s.said[command]
}

// both is a page in both languages.
func both(t *testing.T, path string) []*page {
	t.Helper()
	p := read(t, path)
	return []*page{p, chinese(t, p)}
}

// first are the words in code in the first column of a page's tables.
func first(p *page) map[string]bool {
	all := map[string]bool{}
	for _, line := range p.prose {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, name := range code.FindAllString(cells[1], -1) {
			all[strings.Trim(name, "`")] = true
		}
	}
	return all
}

var variable = regexp.MustCompile(`(?m)^  ([A-Z][A-Z0-9_]+) `)

func TestEveryVariableIsExplained(t *testing.T) {
	t.Parallel()
	help := says(t, newShell(t, nil), "easel help environment")
	known := map[string]bool{}
	for _, found := range variable.FindAllStringSubmatch(help, -1) {
		known[found[1]] = true
	}
	if len(known) < 30 {
		t.Fatalf("%d variables in\n%s", len(known), help)
	}
	pages := append(both(t, "docs/configuration.md"), both(t, "docs/providers.md")...)
	for i, settings := range pages[:2] {
		explained, keys := first(settings), pages[2+i].text
		for name := range known {
			if !explained[name] && (strings.HasPrefix(name, "EASEL_") || !strings.Contains(keys, "`"+name+"`")) {
				t.Errorf("%s does not explain %s", settings.path, name)
			}
		}
	}
	for _, p := range english(t) {
		for _, mentioned := range []*page{p, chinese(t, p)} {
			for _, name := range regexp.MustCompile(`EASEL_[A-Z0-9_]+`).FindAllString(mentioned.text, -1) {
				if !known[name] {
					t.Errorf("%s names %s, which easel does not know", mentioned.path, name)
				}
			}
		}
	}
}

// named is a command of the program, with its flags, in a line or within a text.
var named = regexp.MustCompile(`easel ([a-z]+(?:-[a-z]+)?)(?: ([a-z]+))?`)

func TestCommandsAndFlagsAreThoseOfTheProgram(t *testing.T) {
	t.Parallel()
	s := newShell(t, nil)
	commands := listed(says(t, s, "easel --help"))
	if len(commands) < 15 {
		t.Fatalf("%d commands", len(commands))
	}
	for _, p := range both(t, "docs/commands.md") {
		for _, name := range commands {
			if name != "help" && !strings.Contains(p.text, "| `easel "+name) {
				t.Errorf("%s does not list easel %s", p.path, name)
			}
		}
	}
	helps, pages := map[string]string{}, english(t)
	for _, p := range english(t) {
		pages = append(pages, chinese(t, p))
	}
	for _, p := range pages {
		for _, used := range uses(p) {
			m := named.FindStringSubmatch(used)
			if m == nil {
				continue
			}
			if !slices.Contains(commands, m[1]) {
				t.Errorf("%s: %q: there is no easel %s", p.path, used, m[1])
				continue
			}
			command := "easel " + m[1]
			if slices.Contains([]string{"queues", "migrate", "pictures"}, m[1]) && m[2] != "" {
				command += " " + m[2]
			}
			if helps[command] == "" {
				helps[command] = says(t, s, command+" --help")
			}
			for _, flag := range regexp.MustCompile(`\s(--[a-z][a-z-]*)`).FindAllStringSubmatch(used, -1) {
				if !regexp.MustCompile(flag[1] + `\b`).MatchString(helps[command]) {
					t.Errorf("%s: %q: %s has no %s", p.path, used, command, flag[1])
				}
			}
		}
	}
}

// uses are the lines and the words in code that call the program.
func uses(p *page) (all []string) {
	for _, b := range p.blocks {
		for line := range strings.Lines(b.text) {
			if strings.HasPrefix(line, "easel ") && b.language == "sh" {
				all = append(all, comment.ReplaceAllString(strings.TrimSpace(line), ""))
			}
		}
	}
	for _, line := range p.prose {
		for _, word := range code.FindAllString(line, -1) {
			if word = strings.Trim(word, "`"); strings.HasPrefix(word, "easel ") {
				all = append(all, word)
			}
		}
	}
	return all
}

// listed are the commands in a help text.
func listed(help string) (all []string) {
	_, rest, _ := strings.Cut(help, "Available Commands:\n")
	for line := range strings.Lines(rest) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			break
		}
		all = append(all, name)
	}
	return all
}

func TestEveryProviderIsExplained(t *testing.T) {
	t.Parallel()
	type entry struct {
		Name string `json:"name"`
	}
	var answer struct {
		Configured []entry `json:"providers"`
		Others     []entry `json:"not_configured"`
	}
	err := json.Unmarshal([]byte(says(t, newShell(t, nil), "easel providers --json")), &answer)
	all := append(answer.Configured, answer.Others...)
	if err != nil || len(all) < 13 {
		t.Fatalf("%+v, %v", answer, err)
	}
	for _, p := range both(t, "docs/providers.md") {
		explained := first(p)
		for _, one := range all {
			if !explained[one.Name] {
				t.Errorf("%s does not explain %s", p.path, one.Name)
			}
		}
	}
}

func TestEveryKindAndStatusIsExplained(t *testing.T) {
	for _, p := range both(t, "docs/statuses.md") {
		parts := strings.Split(strings.Join(p.prose, "\n"), "\n## ") // what comes before, statuses, states of attempts, kinds, advice
		for part, want := range map[string]string{parts[1]: fmt.Sprint(task.Statuses), parts[3]: fmt.Sprint(task.Kinds), parts[4]: fmt.Sprint(task.AllAdvice())} {
			explained := first(&page{prose: strings.Split(part, "\n")})
			names := strings.Fields(strings.Trim(want, "[]"))
			for _, name := range names {
				if !explained[name] {
					t.Errorf("%s does not explain %s", p.path, name)
				}
			}
			if len(explained) != len(names) {
				t.Errorf("%s explains %v; there are %v", p.path, explained, names)
			}
		}
	}
}

func TestEveryColumnIsExplained(t *testing.T) {
	t.Parallel()
	database := servertest.Postgres(t)
	s := newShell(t, nil)
	s.set("EASEL_DATABASE_URL", database)
	says(t, s, "easel migrate up")
	db, err := sql.Open("postgres", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	columns := strings.Split(answer(t, db, "SELECT string_agg(column_name, ',') FROM information_schema.columns WHERE table_name = 'image_generations'"), ",")
	for _, p := range both(t, "docs/sql.md") {
		explained := first(p)
		delete(explained, "image_generations") // the head of the column
		for _, name := range columns {
			if !explained[name] {
				t.Errorf("%s does not explain %s", p.path, name)
			}
			delete(explained, name)
		}
		if len(explained) > 0 {
			t.Errorf("%s explains %v, which are no columns", p.path, explained)
		}
	}
}
