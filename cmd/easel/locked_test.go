package main

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/easelqueue/easel/internal/config"
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
	asking.Wait()
}

type pageAnswer struct {
	status, after int // seconds of Retry-After
	text          string
}

// pageOf reads a page in a language.
func pageOf(t *testing.T, s *testSite, path, language string) (a pageAnswer) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+config.Variables(s.env)["EASEL_LISTEN"]+path, nil)
	if err != nil {
		t.Error(err)
		return a
	}
	req.Header.Set("Accept-Language", language)
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
