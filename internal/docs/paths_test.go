package docs

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"

	"github.com/easelqueue/easel/internal/servertest"
)

// The README's first section and its three paths, typed in word for word; only addresses
// of servers, and folders outside of the test's own, are the test's.

func TestRunItInAMinute(t *testing.T) {
	t.Parallel()
	blocks := read(t, "README.md").section(t, "Run it in a minute")
	line, ok := strings.CutPrefix(strings.TrimSpace(blocks[0].text), "go run ./cmd/")
	if !ok || len(blocks) != 1 {
		t.Fatalf("the section says %v", blocks)
	}
	s := newShell(t, nil)
	s.start(line)
	servertest.Eventually(s.t, patience, "the first pictures are there", func() bool {
		pictures, err := filepath.Glob(s.path("easel-data", "pictures", "*", "*.png"))
		return err == nil && len(pictures) > 3
	})
}

func TestTryIt(t *testing.T) {
	t.Parallel()
	blocks := read(t, "README.md").section(t, "Try it")
	if len(blocks) != 5 {
		t.Fatalf("%d blocks", len(blocks))
	}
	s := newShell(t, map[string]string{"OPENAI_API_KEY": "sk-test"})
	s.run(block{text: blocks[0].text[:strings.Index(blocks[0].text, "easel up")]})
	stop := s.start("easel up")
	s.run(blocks[1])
	if path := s.said[`easel enqueue "a red fox in the snow" --wait`]; !isPicture(path) {
		t.Errorf("no picture at %q", path)
	}
	s.run(blocks[2])
	if said := s.said["easel dlq"]; !strings.Contains(said, "a stubborn mountain") {
		t.Errorf("the dead-letter queue is\n%s", said)
	}
	stop()

	service := httptest.NewServer(http.HandlerFunc(drawAsOpenAI))
	t.Cleanup(service.Close)
	yaml := fmt.Sprintf("providers:\n  openai:\n    accounts:\n      - {name: main, base_url: %q}\n", service.URL)
	if err := os.WriteFile(s.path("easel.yaml"), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(blocks[3])
	s.run(blocks[4])
	if path := s.said[strings.TrimSpace(blocks[4].text)]; !isPicture(path) {
		t.Errorf("no picture at %q", path)
	}
}

func isPicture(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	_, _, err = image.DecodeConfig(f)
	return err == nil
}

// drawAsOpenAI is the far side.
func drawAsOpenAI(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/images/generations" || r.Header.Get("Authorization") != "Bearer sk-test" {
		http.NotFound(w, r)
		return
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 48, 32))); err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"created": 1780000000, "data": [{"b64_json": %q}]}`, base64.StdEncoding.EncodeToString(picture.Bytes()))
}

func TestEmbedIt(t *testing.T) {
	t.Parallel()
	blocks := read(t, "README.md").section(t, "Embed it")
	if len(blocks) != 5 {
		t.Fatalf("%d blocks", len(blocks))
	}
	database := servertest.Postgres(t)
	s := newShell(t, map[string]string{"EASEL_DATABASE_URL": database})
	s.run(blocks[0])

	up := s.dir
	s.dir = t.TempDir()
	if err := os.WriteFile(s.path("main.go"), []byte(blocks[1].text), 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second run draws nothing
		_ = os.Remove(s.path("go.mod"))
		s.run(block{text: strings.ReplaceAll(blocks[2].text, "=../easel", "="+here)})
		if said := s.said["go run ."]; !strings.HasPrefix(said, "completed http://") || !strings.HasSuffix(said, "/pictures/1/1-0.png") {
			t.Fatalf("the program says %q", said)
		}
	}

	s.dir = up
	db, err := sql.Open("postgres", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.ExecContext(t.Context(), blocks[3].text); err != nil {
		t.Fatalf("%v\n%s", err, blocks[3].text)
	}
	questions := strings.SplitAfter(strings.TrimSpace(blocks[4].text), ";\n")
	servertest.Eventually(s.t, patience, "the row is completed", func() bool { return strings.Contains(answer(t, db, questions[0]), " completed http") })
	if said := answer(t, db, questions[1]); !strings.Contains(said, "/pictures/1/1-0.png 512 512") {
		t.Errorf("the first task's pictures are %q", said)
	}
	for _, b := range read(t, "docs/sql.md").blocks {
		if b.language == "python" {
			s.python(b)
		}
	}
	if said := s.said["python"]; !strings.HasPrefix(said, "completed http://") {
		t.Errorf("the program in Python says %q", said)
	}
}

// answer is the first row of a query, its columns parted by spaces.
func answer(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || !rows.Next() {
		t.Fatalf("no row (%v): %s", err, query)
	}
	values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		t.Fatal(err)
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.String
	}
	return strings.Join(texts, " ")
}

func TestOperateIt(t *testing.T) {
	t.Parallel()
	p := read(t, "README.md")
	blocks := p.section(t, "Operate it")
	if len(blocks) != 2 {
		t.Fatalf("%d blocks", len(blocks))
	}
	if compose := comment.ReplaceAllString(strings.TrimSpace(blocks[0].text), ""); compose != "docker compose up --scale worker=4" {
		t.Errorf("the first block is %q; see TestCompose", compose)
	}
	s := newShell(t, nil)
	s.instead = map[string]string{"EASEL_DATABASE_URL": servertest.Postgres(t), "EASEL_REDIS_URL": servertest.Redis(t).URL,
		"EASEL_PICTURES": s.path("pictures"), "EASEL_PUBLIC_URL": "http://" + strings.TrimPrefix(s.env[len(s.env)-1], "EASEL_LISTEN=")}
	s.run(blocks[1])
	s.line("easel enqueue 'a lighthouse' --wait", "picture")
	if !isPicture(s.said["picture"]) {
		t.Errorf("no picture at %q", s.said["picture"])
	}
	servertest.Eventually(s.t, patience, "the worker and the pages' own worker are seen", func() bool {
		s.line("easel doctor", "doctor")
		return strings.Count(s.said["doctor"], ") serves ") == 2
	})
	for _, command := range []string{"easel dlq", "easel queues", "easel queues pause openai", "easel queues resume openai"} {
		if !strings.Contains(p.text, "`"+command+"`") {
			t.Errorf("the table does not name %s", command)
		}
		s.line(command, command)
	}
}
