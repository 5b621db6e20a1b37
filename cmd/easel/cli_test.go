package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/migrations"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
)

func TestMigrate(t *testing.T) {
	d := newShell(t)
	d.easel("migrate", "status").wants(t, 1, "`easel migrate up` makes it")
	d.easel("migrate", "up").wants(t, 0, "applied")
	d.easel("migrate", "up").wants(t, 0, "nothing to do")
	d.easel("list").wants(t, 0, "no tasks")
	d.easel("list", "--provider", "scetch").wants(t, 0, "no tasks", `the provider "scetch" is not configured`, "did you mean sketch?")
	d.easel("retry", "--provider", "scetch", "--yes").wants(t, 2, `no task fits: the provider "scetch" is not configured`, "did you mean sketch?")
	d.easel("retry", "--provider", "sketch", "--yes").wants(t, 0, "no task fits")
	d.easel("migrate", "down").wants(t, 2, "say --yes")
	d.easel("migrate", "down", "--yes").wants(t, 0, "not applied") // an index alone: nothing reads less without it
	d.easel("migrate", "down", "--yes").wants(t, 0, "not applied")
	d.easel("list").wants(t, 1, "easel migrate up")
}

func TestVersionAndHelp(t *testing.T) {
	d := newShell(t)
	d.easel("help", "queues", "pause").wants(t, 0, "Begin nothing new from these queues")
	d.easel("help").wants(t, 0, "Available Commands")
	var b app.Build
	d.must(&b, "version")
	if b.Go == "" || b.Version == "" {
		t.Errorf("got %+v", b)
	}
	d.easel("help", "environment").wants(t, 0, "EASEL_DRAIN", "OPENAI_API_KEY")
	walk := func(args ...string) {
		got := d.easel(append(args, "--help")...)
		got.wants(t, 0, "Usage:")
		if len(args) > 0 && args[len(args)-1] == "enqueue" {
			got.wants(t, 0, "Examples:")
		}
	}
	for _, c := range [][]string{nil, {"enqueue"}, {"list"}, {"show"}, {"watch"}, {"retry"}, {"cancel"}, {"dlq"}, {"migrate", "up"}, {"doctor"}, {"up"}, {"worker"}, {"demo"}} {
		walk(c...)
	}
}

func TestServers(t *testing.T) {
	d := newShell(t)
	d.env = []string{"EASEL_DATABASE_URL=" + servertest.Postgres(t), "EASEL_REDIS_URL=" + servertest.Redis(t).URL}
	t.Run("Nothing but migrate changes a server's tables", func(t *testing.T) {
		d.easel("enqueue", "x").wants(t, 1, "`easel migrate up`")
		d.easel("list").wants(t, 1, "`easel migrate up`")
		d.must(nil, "migrate", "up")
		d.easel("migrate", "status").wants(t, 0, "applied")
	})
	t.Run("A task is published at once", func(t *testing.T) {
		id := d.enqueue("一只红狐狸")
		var told story
		d.must(&told, "show", fmt.Sprint(id))
		if told.Task.PublishedAt == nil {
			t.Error("it is not")
		}
	})
	t.Run("Cancel, retry and the views work", func(t *testing.T) {
		d.must(nil, "cancel", "1")
		d.must(nil, "retry", "1")
		d.easel("list", "--since", "1h").wants(t, 0, "pending", "一只红狐狸")
		d.easel("dlq").wants(t, 0, "empty")
		var changes struct{ Migrations []migrations.Migration }
		d.must(&changes, "migrate", "status")
		newest := changes.Migrations[len(changes.Migrations)-1].Version
		d.easel("doctor").wants(t, 0, fmt.Sprintf("at the newest version, %d\n", newest), "none is running")
	})
	t.Run("A retry says until when its account makes no call", func(t *testing.T) {
		s, err := store.Open(t.Context(), strings.TrimPrefix(d.env[0], "EASEL_DATABASE_URL="))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		client, err := queue.Redis(strings.TrimPrefix(d.env[1], "EASEL_REDIS_URL="))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		err = errors.Join(s.Heartbeat(t.Context(), store.Worker{ID: "w", Providers: ",sketch,"}, time.Minute),
			(&limit.Limiter{Redis: client}).Close(t.Context(), "sketch/main", time.Hour, limit.Why{Reason: "no money"}))
		if err != nil {
			t.Fatal(err)
		}
		d.must(nil, "cancel", "1")
		d.easel("retry", "1").wants(t, 0, "task 1 is pending again: a new call is made; it waits for the account sketch/main, which takes no calls now, until ")
	})
	if files, _ := os.ReadDir("."); len(files) != 0 {
		t.Errorf("files were made: %v", files)
	}
}
