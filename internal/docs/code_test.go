package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/easelqueue/easel/internal/servertest"
)

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
