package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/evidence"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

// A service repeats the key in what it says of errors, prompts, jobs and addresses:
// nothing that a person, a program or a log sees may hold it, or a signature.
func TestNoSinkHoldsAKey(t *testing.T) {
	t.Parallel()
	services := map[string]providertest.Service{
		"openai":    {Submits: map[string]providertest.Endpoint{"/v1/": providertest.OpenAI}},
		"replicate": providertest.Replicate(),
	}
	var yaml strings.Builder
	yaml.WriteString("providers:\n")
	for name, service := range services {
		server := providertest.Start(service)
		t.Cleanup(server.Close)
		var answers atomic.Int64
		echo := providertest.Behaviour{Bills: true, Serve: func(w http.ResponseWriter, r *http.Request, answer []byte) {
			repeats(w, r, answer, int(answers.Add(1)))
		}}
		server.Always(echo)
		server.Asks(&echo)
		fmt.Fprintf(&yaml, "  %s:\n    accounts:\n      - {name: main, key: \"${FAKE_KEY}\", base_url: %q}\n", name, server.URL+"/v1")
	}
	s := newSite(t, yaml.String(), "FAKE_KEY="+oddKey)
	up := s.start("up")
	up.serves(t)
	for i := range 4 {
		for name := range services {
			s.easel(0, "enqueue", fmt.Sprint("kite ", i), "--provider", name, "--model", "acme/brush")
		}
	}
	servertest.Eventually(t, 5*time.Minute, "all ended, and some well", func() bool { return s.open() == 0 })
	if drawn := s.count(task.Completed); drawn < 2 {
		t.Errorf("%d were drawn", drawn)
	}
	for name, text := range s.sinks(up) {
		if found := leak(text, oddKey); found != "" {
			at := strings.Index(strings.ToLower(text), strings.ToLower(found))
			t.Errorf("%s holds %q: %s", name, found, text[max(0, at-200):min(len(text), at+200)])
		}
		if strings.Contains(text, "a%2Fb%3D") {
			t.Errorf("%s holds the signature of an address", name)
		}
		if len(text) < 100 {
			t.Errorf("%s holds next to nothing: %q", name, text)
		}
	}
}

// repeats answers with the caller's key: the n-th answer in a spelling and a place of its own.
func repeats(w http.ResponseWriter, r *http.Request, answer []byte, n int) {
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	all := respelled(key)
	what := all[n%len(all)]
	quoted, _ := json.Marshal(what)
	w.Header().Set("X-Request-Id", "r-"+what)
	switch n / 2 % 3 {
	case 0:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":{"message":%s,"code":%s},"detail":%[1]s,"title":%[1]s}`, quoted, quoted)
	case 1:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "<html><h1>%s</h1></html>", what)
	default:
		var whole map[string]any
		_ = json.Unmarshal(answer, &whole)
		whole["size"], whole["model"], whole["quality"] = what, what, what
		if data, ok := whole["data"].([]any); ok {
			data[0].(map[string]any)["revised_prompt"] = "a kite, " + what
		}
		_ = json.NewEncoder(w).Encode(whole)
	}
}

// sinks is everything that easel has written or shows, but for what only polls and
// downloads read.
func (s *testSite) sinks(up process) map[string]string {
	s.t.Helper()
	tables, err := evidence.Tables(s.t.Context(), s.tasks.DB())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, row := range tables["generation_attempt"] {
		delete(row, "handle")
		delete(row, "answer")
	}
	rows, _ := json.Marshal(tables)
	pages := "http://" + config.Variables(s.env)["EASEL_LISTEN"]
	all := map[string]string{"rows": string(rows), "log": up.Said(), "redis": s.redisText(),
		"list": s.easel(0, "list", "--limit", "100"), "list --json": s.easel(0, "list", "--json"), "dlq": s.easel(0, "dlq"), "dlq --json": s.easel(0, "dlq", "--json"),
		"providers": s.easel(0, "providers"), "gallery": pageAt(s.t, pages+"/"), "failed": pageAt(s.t, pages+"/failed")}
	for id := range s.number("SELECT count(*) FROM image_generations") {
		all[fmt.Sprint("show ", id+1)] = s.easel(0, "show", fmt.Sprint(id+1)) + s.easel(0, "show", fmt.Sprint(id+1), "--json")
		all[fmt.Sprint("page ", id+1)] = pageAt(s.t, fmt.Sprint(pages, "/tasks/", id+1))
	}
	return all
}

// redisText is all values that Redis holds.
func (s *testSite) redisText() string {
	client, err := queue.Redis(config.Variables(s.env)["EASEL_REDIS_URL"])
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	var b strings.Builder
	keys, err := client.Keys(ctx, "*").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, key := range keys {
		for _, read := range []func() redis.Cmder{
			func() redis.Cmder { return client.Get(ctx, key) }, func() redis.Cmder { return client.HGetAll(ctx, key) },
			func() redis.Cmder { return client.LRange(ctx, key, 0, -1) }, func() redis.Cmder { return client.ZRange(ctx, key, 0, -1) },
		} {
			b.WriteString(read().String() + "\n") // of a key of another type it is an error
		}
	}
	return b.String()
}
