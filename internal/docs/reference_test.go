package docs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

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

// A block is run twice, as an app does all day, and must not take an id that the table
// gives out by itself later.
func TestSQLIsTakenAsOftenAsItIsRun(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{"postgres": servertest.Postgres(t), "sqlite": "sqlite:" + filepath.Join(t.TempDir(), "easel.db")} {
		s := newShell(t, nil)
		s.set("EASEL_DATABASE_URL", address)
		says(t, s, "easel migrate up")
		db, err := sql.Open(name, strings.TrimPrefix(address, "sqlite:"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		db.SetMaxOpenConns(1) // a block may have a transaction
		runTwice(t, db, name)
		for range 20 {
			if _, err := db.ExecContext(t.Context(), "INSERT INTO image_generations (provider, prompt) VALUES ('sketch', 'one more')"); err != nil {
				t.Errorf("%s: a row of its own: %v", name, err)
			}
		}
		if n := answer(t, db, "SELECT count(*) FROM generation_parameter WHERE parameter_name = 'delay'"); n != "2" {
			t.Errorf("%s: %s rows have the parameter, want 2", name, n)
		}
	}
}

// runTwice runs the blocks of SQL that are for this database.
func runTwice(t *testing.T, db *sql.DB, database string) {
	t.Helper()
	for _, b := range read(t, "docs/sql.md").blocks {
		alone := map[bool]string{true: "sqlite", false: ""}[strings.Contains(b.text, "last_insert_rowid")]
		if strings.Contains(b.text, "WITH ") {
			alone = "postgres"
		}
		if b.language != "sql" || alone != "" && alone != database { // for the program in Python see TestEmbedIt
			continue
		}
		for range 2 {
			if _, err := db.ExecContext(t.Context(), b.text); err != nil {
				t.Errorf("%s: %v\n%s", database, err, b.text)
			}
		}
	}
}

func TestGoCodeCompiles(t *testing.T) {
	t.Parallel()
	s, number := newShell(t, nil), 0
	for _, p := range english(t)[1:] {
		for _, b := range p.blocks {
			if b.language != "go" {
				continue
			}
			number++
			source := fmt.Sprintf("package block%d\n\n%s", number, b.text)
			if formatted, err := format.Source([]byte(source)); err != nil || string(formatted) != source {
				t.Errorf("%s: this is not formatted (%v):\n%s", p.path, err, b.text)
			}
			folder := s.path(fmt.Sprintf("block%d", number))
			if err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, "block.go"), []byte(source), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if number < 4 {
		t.Errorf("%d blocks of Go", number)
	}
	// The module's own file, so that nothing has to be looked up.
	mod := strings.Replace(read(t, "go.mod").text, "module github.com/easelqueue/easel\n", "module example.com/pages\n", 1)
	for name, text := range map[string]string{"go.mod": mod, "go.sum": read(t, "go.sum").text} {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	s.run(block{text: "go mod edit -require github.com/easelqueue/easel@v0.0.0 -replace github.com/easelqueue/easel=" + here + "\ngo vet -mod=mod ./...\n"})
}

var keyReference = regexp.MustCompile(`\$\{([A-Z_]+)\}`)

func TestFilesOfProvidersAreAccepted(t *testing.T) {
	t.Parallel()
	number := 0
	for _, p := range english(t) {
		for _, b := range p.blocks {
			if b.language != "yaml" {
				continue
			}
			number++
			t.Run(fmt.Sprintf("Block %d, of %s", number, p.path), func(t *testing.T) {
				s := newShell(t, nil)
				if err := os.WriteFile(s.path("easel.yaml"), []byte(b.text), 0o600); err != nil {
					t.Fatal(err)
				}
				for _, key := range keyReference.FindAllStringSubmatch(b.text, -1) {
					s.set(key[1], "a-key")
				}
				says(t, s, "easel providers")
			})
		}
	}
	if number < 5 {
		t.Errorf("%d blocks of YAML", number)
	}
}

// TestCompose does not start containers: it holds the file to what the README says of it,
// and to the program.
func TestCompose(t *testing.T) {
	t.Parallel()
	var file struct {
		Services map[string]struct {
			Command     any            `yaml:"command"`
			Environment map[string]any `yaml:"environment"`
		} `yaml:"services"`
	}
	text := read(t, "docker-compose.yml").text
	if err := yaml.UnmarshalContext(context.Background(), []byte(text), &file); err != nil {
		t.Fatal(err)
	}
	help := says(t, newShell(t, nil), "easel help environment")
	for name, command := range map[string]string{"worker": "[worker]", "up": "[up]", "migrate": "[migrate up]"} {
		service, ok := file.Services[name]
		if !ok || fmt.Sprint(service.Command) != command {
			t.Errorf("the service %s runs %v; want %s", name, service.Command, command)
		}
		for setting := range service.Environment {
			if !strings.Contains(help, "  "+setting+" ") {
				t.Errorf("the service %s sets %s, which easel does not know", name, setting)
			}
		}
		if len(service.Environment) < 5 {
			t.Errorf("the service %s has the environment %v", name, service.Environment)
		}
	}
	for _, name := range []string{"postgres", "redis"} {
		if _, ok := file.Services[name]; !ok {
			t.Errorf("there is no service %s", name)
		}
	}
}

func TestMakeKnowsWhatIsMade(t *testing.T) {
	targets := "\n" + read(t, "Makefile").text
	pages := append(english(t), read(t, "README.zh.md"), read(t, "CONTRIBUTING.md"))
	used := 0
	for _, p := range pages {
		for _, found := range regexp.MustCompile("[`\n]make ([a-z]+)").FindAllStringSubmatch(p.text, -1) {
			used++
			if !strings.Contains(targets, "\n"+found[1]+":") {
				t.Errorf("%s: there is no target %s", p.path, found[1])
			}
		}
	}
	if used < 10 {
		t.Errorf("%d commands were found", used)
	}
}
