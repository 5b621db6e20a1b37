package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/doctor"
	"github.com/easelqueue/easel/task"
)

// examined runs doctor and returns its findings by check.
func (d *shell) examined() (doctor.Diagnosis, map[string]doctor.Finding, said) {
	d.t.Helper()
	got := d.easel("doctor", "--json")
	var answer doctor.Diagnosis
	if err := json.Unmarshal([]byte(got.out), &answer); err != nil {
		d.t.Fatalf("%s%s: %v", got.out, got.errors, err)
	}
	found := map[string]doctor.Finding{}
	for _, f := range answer.Findings {
		found[f.Check] = f
	}
	return answer, found, got
}

func TestDoctor(t *testing.T) {
	t.Run("A fresh folder is healthy, and stays as it was", func(t *testing.T) {
		d := newShell(t)
		answer, _, got := d.examined()
		if !answer.Healthy || got.code != 0 {
			t.Errorf("got %+v", answer)
		}
		if files, _ := os.ReadDir("."); len(files) != 0 {
			t.Errorf("it left %v", files)
		}
	})
	t.Run("It says that no worker runs and that keys are missing", func(t *testing.T) {
		d := newShell(t)
		d.enqueue("x")
		d.easel("doctor").wants(t, 0, "Start `easel up`", "Set OPENAI_API_KEY", "EASEL_DRAIN", "none set; `easel up` brings its own")
	})
	t.Run("Mistakes of the configuration are findings", func(t *testing.T) {
		d := newShell(t)
		d.env = []string{"EASEL_DRAIN=x"}
		d.easel("doctor").wants(t, 1, "fail", "EASEL_DRAIN is")
	})
	t.Run("A database and a Redis that are down fail without their passwords", func(t *testing.T) {
		d := newShell(t)
		d.env = []string{"EASEL_DATABASE_URL=postgres://u:" + canary + "@127.0.0.1:1/x", "EASEL_REDIS_URL=redis://:" + canary + "@127.0.0.1:1"}
		_, found, got := d.examined()
		if got.code != 1 || found["database"].Result != doctor.Fail || found["redis"].Result != doctor.Fail {
			t.Errorf("got %d, %+v", got.code, found)
		}
		if strings.Contains(got.out+got.errors, canary) {
			t.Error("a password is shown")
		}
	})
	t.Run("A Redis that answers is well", func(t *testing.T) {
		d := newShell(t)
		d.env = []string{"EASEL_REDIS_URL=redis://" + miniredis.RunT(t).Addr()}
		if _, found, _ := d.examined(); found["redis"].Result == doctor.Fail {
			t.Errorf("got %+v", found["redis"])
		}
	})
	t.Run("A folder that is a file fails", func(t *testing.T) {
		d := newShell(t)
		writeFile(t, "pictures", "")
		d.env = []string{"EASEL_PICTURES=pictures"}
		if _, found, _ := d.examined(); found["picture folder"].Result != doctor.Fail {
			t.Errorf("got %+v", found["picture folder"])
		}
	})
	t.Run("Missing tables fail", func(t *testing.T) {
		d := newShell(t)
		d.must(nil, "migrate", "up")
		d.must(nil, "migrate", "down", "--yes")
		if _, found, _ := d.examined(); found["tables"].Result != doctor.Fail || !strings.Contains(found["tables"].Do, "easel migrate up") {
			t.Errorf("got %+v", found["tables"])
		}
	})
}

func TestDoctorAsksProviders(t *testing.T) {
	for claim, c := range map[string]struct {
		status int
		want   doctor.Severity
		detail string
	}{
		"A key that is taken is well":              {200, doctor.OK, "takes the key"},
		"A key that is refused fails":              {401, doctor.Fail, "refuses the key (401)"},
		"A service without a list of models warns": {404, doctor.Warn, "cannot be told without spending"},
	} {
		t.Run(claim, func(t *testing.T) {
			var asked string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization")
				w.WriteHeader(c.status)
				io.WriteString(w, canary)
			}))
			defer server.Close()
			d := newShell(t)
			writeFile(t, "easel.yaml", "providers: {openai: {accounts: [{base_url: '"+server.URL+"/v1'}]}}")
			d.env = []string{"OPENAI_API_KEY=" + canary}
			_, found, got := d.examined()
			f := found["provider openai/main"]
			if f.Result != c.want || !strings.Contains(f.Detail, c.detail) {
				t.Errorf("got %+v", f)
			}
			if want := "GET /v1/models Bearer " + canary; asked != want {
				t.Errorf("it asked %q, want %q", asked, want)
			}
			if strings.Contains(got.out+got.errors, canary) {
				t.Error("the key is shown")
			}
		})
	}
}

func TestWatch(t *testing.T) {
	d := newShell(t)
	d.enqueue("old")
	d.enqueue("x")
	s := d.open()
	complete(t, s, 1)
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	code := make(chan int)
	var said strings.Builder // until it has ended, it alone writes there
	go func() { code <- run(ctx, []string{"watch"}, strings.NewReader(""), writer, &said, nil) }()
	first := readUntil(t, reader, "pending")
	if strings.Contains(first, "old") {
		t.Errorf("what ended before is told: %s", first)
	}
	fail(t, s, 2, &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "bad key"})
	readUntil(t, reader, "failed  sketch  x  bad key")
	cancel()
	defer writer.Close()
	go io.Copy(io.Discard, reader)
	if got := <-code; got != 0 || !strings.Contains(said.String(), "waiting for changes; ^C ends it") {
		t.Errorf("ended with %d, and said %q", got, said.String())
	}
}

func TestStreams(t *testing.T) {
	t.Run("What is no terminal gets no colours", func(t *testing.T) {
		d := newShell(t)
		d.enqueue("x")
		if got := d.must(nil, "list"); strings.Contains(got.out, "\x1b") {
			t.Errorf("got %q", got.out)
		}
	})
	t.Run("Colours are painted only where they are asked for", func(t *testing.T) {
		if got := fmt.Sprint(cli.Paint(false, cli.Red, "x"), cli.Paint(true, cli.Red, "x")); got != "x\x1b[31mx\x1b[0m" {
			t.Errorf("got %q", got)
		}
	})
}
