package main

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/servertest"
)

func TestPagesAndCommandsEndWhileATableIsLocked(t *testing.T) {
	t.Parallel()
	s := newSite(t, "providers:\n  sketch: {}\n")
	up := s.start("up")
	up.serves(t)
	s.easel(0, "enqueue", "a boat", "--wait")
	app, err := s.tasks.DB().Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer app.Rollback()
	s.exec(app, "LOCK TABLE image_generations")
	const locked = "the table image_generations is locked by another transaction (process "
	var asking sync.WaitGroup
	for command, want := range map[string]int{"enqueue x": 1, "list": 1, "show 1": 1, "dlq": 1, "queues": 1, "retry --status failed --yes": 1, "doctor": 1, "watch 1": 1} {
		asking.Go(func() {
			var out, complaint bytes.Buffer
			code := run(t.Context(), strings.Fields(command), strings.NewReader(""), &out, &complaint, s.env)
			if said := out.String() + complaint.String(); code != want || !strings.Contains(said, locked) || strings.Contains(said, "migrate up") {
				t.Errorf("easel %s ended with %d:\n%s", command, code, said)
			}
		})
	}
	told := map[string]string{"en": "has held the table image_generations locked for more than five seconds", "zh": "锁住 image_generations 表超过了五秒"}
	for _, path := range []string{"/", "/failed", "/tasks/1", "/operations", "/operations.json"} {
		for language, words := range told {
			asking.Go(func() {
				answer := pageOf(t, s, path, language)
				if answer.status != http.StatusServiceUnavailable || answer.after < 1 || !strings.Contains(answer.text, words) {
					t.Errorf("%s in %s: %+v", path, language, answer)
				}
			})
		}
	}
	for _, word := range []string{"retry", "cancel", "give-up"} {
		for language, words := range told {
			asking.Go(func() {
				answer := ask(t, s, http.MethodPost, "/tasks/1/"+word, language, "status=failed&delivery=0&fence=1&charged=yes")
				if answer.status != http.StatusServiceUnavailable || answer.after < 1 || !strings.Contains(answer.text, words) {
					t.Errorf("%s in %s: %+v", word, language, answer)
				}
			})
		}
	}
	asking.Wait()
}

func TestAStartThatWaitsForATableSaysSoAndGoesOn(t *testing.T) {
	t.Parallel()
	s := newSite(t, "providers:\n  sketch: {}\n")
	for command, table := range map[string]string{"up": "image_generations", "worker": "easel_worker"} {
		app, err := s.tasks.DB().Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer app.Rollback()
		s.exec(app, "LOCK TABLE "+table)
		p := s.start(command)
		servertest.Eventually(t, time.Minute, command+" says what it waits for", func() bool {
			return strings.Contains(p.Said(), "not started yet: the table "+table+" is locked by another transaction (process ")
		})
		if strings.Contains(p.Said(), `"working"`) {
			t.Errorf("%s has not waited:\n%s", command, p.Said())
		}
		if err := app.Rollback(); err != nil {
			t.Fatal(err)
		}
		servertest.Eventually(t, time.Minute, command+" goes on", func() bool { return strings.Contains(p.Said(), `"working"`) })
	}
}

func TestPagesAndCommandsEndWhileTheDatabaseIsSilent(t *testing.T) {
	t.Parallel()
	server := servertest.PostgresServer(t)
	s := newSite(t, "providers:\n  sketch: {}\n", "EASEL_DATABASE_URL="+server.URL)
	up := s.start("up")
	up.serves(t)
	s.easel(0, "enqueue", "a boat", "--wait")
	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Thaw() })
	began := time.Now()
	var asking sync.WaitGroup
	for _, command := range []string{"enqueue x", "list", "retry 1", "doctor"} {
		asking.Go(func() {
			var out, complaint bytes.Buffer
			code := run(t.Context(), strings.Fields(command), strings.NewReader(""), &out, &complaint, s.env)
			if said := out.String() + complaint.String(); code != 1 || !strings.Contains(said, "does not answer") || strings.Contains(said, "migrate up") {
				t.Errorf("easel %s ended with %d:\n%s", command, code, said)
			}
		})
	}
	for _, path := range []string{"/", "/failed", "/tasks/1", "/operations"} {
		for language, words := range map[string]string{"en": "The database does not answer", "zh": "数据库没有应答"} {
			asking.Go(func() {
				answer := pageOf(t, s, path, language)
				if answer.status != http.StatusServiceUnavailable || answer.after < 1 || !strings.Contains(answer.text, words) {
					t.Errorf("%s in %s: %+v", path, language, answer)
				}
			})
		}
	}
	asking.Wait()
	if took := time.Since(began); took > 45*time.Second {
		t.Errorf("it took %s", took)
	}
	if err := server.Thaw(); err != nil {
		t.Fatal(err)
	}
	servertest.Eventually(t, time.Minute, "the pages are back", func() bool { return pageOf(t, s, "/", "en").status == http.StatusOK })
}

type pageAnswer struct {
	status, after int // seconds of Retry-After
	text          string
}

// pageOf reads a page in a language.
func pageOf(t *testing.T, s *testSite, path, language string) pageAnswer {
	return ask(t, s, http.MethodGet, path, language, "")
}

func ask(t *testing.T, s *testSite, method, path, language, form string) (a pageAnswer) {
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+config.Variables(s.env)["EASEL_LISTEN"]+path, strings.NewReader(form))
	if err != nil {
		t.Error(err)
		return a
	}
	req.Header.Set("Accept-Language", language)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return a
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		t.Error(err)
	}
	a.after, _ = strconv.Atoi(resp.Header.Get("Retry-After"))
	a.status, a.text = resp.StatusCode, body.String()
	return a
}
