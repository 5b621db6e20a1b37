package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/queue"
)

func TestAWorkerNeedsNoMoreOfRedisThanTheRule(t *testing.T) {
	t.Parallel()
	fake := providertest.StartAll()
	t.Cleanup(fake.Close)
	s := newSite(t, openAIYAML(fake, 5), "FAKE_KEY=sk-test")
	u, err := url.Parse(config.Variables(s.env)["EASEL_REDIS_URL"])
	if err != nil {
		t.Fatal(err)
	}
	admin, err := queue.Redis(u.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	words := []any{"ACL", "SETUSER", "app", "on", ">pa55"}
	for _, w := range strings.Fields(queue.Rule) {
		words = append(words, w)
	}
	if err := admin.Do(t.Context(), words...).Err(); err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("app", "pa55")
	s.env = append(s.env, "EASEL_REDIS_URL="+u.String())

	up := s.start("up")
	up.serves(t)
	s.ask("openai")
	servertest.Eventually(t, 5*time.Minute, "the task is completed", func() bool {
		return s.number("SELECT count(*) FROM image_generations WHERE status = 'completed'") == 1
	})
	s.easel(0, "queues", "pause", "openai")
	s.easel(0, "queues", "resume", "openai")
	refused, err := admin.Do(t.Context(), "ACL", "LOG").Slice()
	if err != nil || len(refused) != 0 {
		t.Errorf("refused was %v, %v", refused, err)
	}
}
