package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/waiting"
)

// told is what `easel show` tells programs of a waiting task.
type told struct {
	WaitsFor *waiting.Reason `json:"waits_for"`
}

// waitsFor waits until show says that the task waits for that, and until list, doctor
// and the pages say the same in words.
func (s *testSite) waitsFor(id int64, kind waiting.Kind, doctor int, words ...string) {
	s.t.Helper()
	var last string
	defer func() {
		if s.t.Failed() {
			s.t.Logf("show says %s", last)
		}
	}()
	servertest.Eventually(s.t, 5*time.Minute, fmt.Sprintf("task %d waits for %s", id, kind), func() bool {
		last = s.easel(0, "show", fmt.Sprint(id), "--json")
		var said told
		return json.Unmarshal([]byte(last), &said) == nil && said.WaitsFor != nil && said.WaitsFor.Kind == kind
	})
	pages := "http://" + config.Variables(s.env)["EASEL_LISTEN"]
	all := map[string]string{"show": s.easel(0, "show", fmt.Sprint(id)), "page": pageAt(s.t, fmt.Sprint(pages, "/tasks/", id))}
	if doctor >= 0 {
		all["doctor"], all["operations"] = s.easel(doctor, "doctor"), pageAt(s.t, pages+"/operations")
	}
	for where, text := range all {
		for _, w := range words {
			if !strings.Contains(text, w) {
				s.t.Errorf("%s does not say %q: %s", where, w, text)
			}
		}
	}
}

func TestEveryDoorSaysWhatATaskWaitsFor(t *testing.T) {
	t.Parallel()
	fake := providertest.StartAll()
	t.Cleanup(fake.Close)
	s := newSite(t, openAIYAML(fake, 5), "FAKE_KEY=sk-test", "TZ=UTC")
	up := s.start("up")
	up.serves(t)
	client, err := queue.Redis(config.Variables(s.env)["EASEL_REDIS_URL"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })

	s.ask("openai")
	servertest.Eventually(t, 5*time.Minute, "the first is drawn", func() bool { return s.open() == 0 })

	pauseQueue(t, client, "openai", true)
	id := s.ask("openai")
	s.waitsFor(id, waiting.Paused, 1, "paused")
	pauseQueue(t, client, "openai", false)
	servertest.Eventually(t, 5*time.Minute, "it goes on", func() bool { return s.open() == 0 })

	fake.Always(providertest.Answers(401, `{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}`))
	s.ask("openai")
	servertest.Eventually(t, 5*time.Minute, "the key is refused", func() bool { return s.number("SELECT count(*) FROM image_generations WHERE error_kind = 'auth'") > 0 })
	staysClosed(t, client, "openai/main")
	id = s.ask("openai")
	s.waitsFor(id, waiting.Closed, -1, "Incorrect API key provided", "the operator")
	if found := s.easel(-1, "doctor"); !strings.Contains(found, "Incorrect API key provided") {
		t.Errorf("doctor says %s", found)
	}
	if found := s.easel(0, "list"); !strings.Contains(found, "openai/main, which takes no calls now") {
		t.Errorf("list says %s", found)
	}
	s.easel(0, "cancel", fmt.Sprint(id))

	tx, err := s.tasks.DB().Begin()
	if err != nil {
		t.Fatal(err)
	}
	s.exec(tx, "INSERT INTO easel_worker (id, host, pid, version, providers, started_at, seen_at, lease_until) VALUES ('old', 'h', 1, 'v', ',elsewhere,', now(), now(), now() - interval '1 minute')")
	s.exec(tx, "INSERT INTO image_generations (provider, prompt) VALUES ('elsewhere', 'a kite')")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	s.waitsFor(int64(s.number("SELECT max(id) FROM image_generations")), waiting.Unserved, -1, "a worker that serves elsewhere")

	if err := s.redis.Stop(); err != nil {
		t.Fatal(err)
	}
	id = s.ask("openai")
	s.waitsFor(id, waiting.RedisAway, 1, "Redis")
}

// staysClosed waits until the account is closed and makes that last, so that it does not
// try the service again between two looks.
func staysClosed(t *testing.T, client redis.UniversalClient, account string) {
	t.Helper()
	key := "easel:limit:{" + account + "}:closed"
	servertest.Eventually(t, 5*time.Minute, account+" is closed", func() bool { return client.HExists(t.Context(), key, "until").Val() })
	err := client.HSet(t.Context(), key, "until", time.Now().Add(time.Hour).UnixMilli()).Err()
	if err == nil {
		err = client.Persist(t.Context(), key).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// ask enqueues a task and returns its id.
func (s *testSite) ask(provider string) int64 {
	s.t.Helper()
	var shown struct{ Task struct{ ID int64 } }
	out := s.easel(0, "enqueue", "a kite", "--provider", provider, "--model", "gpt-image-2", "--json")
	if err := json.Unmarshal([]byte(out), &shown); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	return int64(s.number("SELECT max(id) FROM image_generations"))
}

// pauseQueue does what asynqmon's button does.
func pauseQueue(t *testing.T, client redis.UniversalClient, name string, paused bool) {
	t.Helper()
	key := "asynq:{" + name + "}:paused"
	err := client.Del(t.Context(), key).Err()
	if paused {
		err = client.Set(t.Context(), key, time.Now().Unix(), 0).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
}
