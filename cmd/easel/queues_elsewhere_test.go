package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/waiting"
)

func TestQueuesOfAnotherDatabaseAreNotPointedTo(t *testing.T) {
	d := newShell(t)
	d.enqueue("x")
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(waiting.World{At: time.Now(), Workers: []waiting.Worker{{ID: "stranger"}}})
	}))
	defer far.Close()
	d.env = append(d.env, "EASEL_LISTEN="+strings.TrimPrefix(far.URL, "http://"))
	got := d.easel("queues")
	got.wants(t, 1, "works on another database than")
	if said := got.out + got.errors; strings.Contains(said, "/queues") || strings.Count(said, "another database") != 1 {
		t.Errorf("it says %s", said)
	}
}
