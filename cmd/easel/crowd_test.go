package main

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/fakeprovider"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/throwaway"
	"github.com/easelqueue/easel/task"
)

// crowd is 30 paid calls under way in two workers, at a service that nobody can
// ask about them, while something holds up their database for five leases.
type crowd struct {
	*testSite
	book   book
	db     *sql.DB           // that no worker shares
	server *throwaway.Server // if it has one of its own
}

const (
	crowdLease = 6 * time.Second // under the race detector a busy machine answers no heartbeat for a second or two
	crowdLasts = 5 * crowdLease
	crowdCalls = 30
	crowdBeats = 15 // three in a lease
)

var crowds = []struct {
	claim   string
	own     bool // it needs a server of its own
	disturb func(c *crowd)
}{
	{"An app inserts 60,000 rows in one statement", false, manyRows},
	{"An app's transaction stays open on 40 published rows", false, (*crowd).openUpdate},
	{"A transaction that changes the tasks' table stays open", false, func(c *crowd) { c.open("ALTER TABLE image_generations ADD COLUMN note_of_the_app text") }},
	{"The tables are locked, so that every connection of the pools waits", false, func(c *crowd) {
		c.open("LOCK TABLE image_generations, generation_attempt, generation_result IN ACCESS EXCLUSIVE MODE")
	}},
	{"Others use up the server's connections", true, (*crowd).useUp},
	{"The database's clock jumps by a minute, to and fro", true, (*crowd).jump},
	{"The database fails over to servers whose clocks differ by a minute", true, (*crowd).failOver},
}

// TestCrowds takes two minutes beside others, since five leases have to pass.
func TestCrowds(t *testing.T) {
	t.Parallel()
	for _, c := range crowds {
		t.Run(c.claim+": nobody is called dead, and nothing is bought twice", func(t *testing.T) {
			t.Parallel()
			o := newCrowd(t, c.own)
			first, second := o.start("worker"), o.start("worker")
			servertest.Eventually(t, 5*time.Minute, "both work", func() bool {
				return strings.Contains(first.Said(), `"message":"working"`) && strings.Contains(second.Said(), `"message":"working"`)
			})
			o.insert(crowdCalls, "fakeprovider", nil)
			servertest.Eventually(t, 5*time.Minute, "all calls are under way", func() bool { // on a busy machine the first have ended
				return o.number("SELECT count(*) FROM generation_attempt") == crowdCalls
			})
			c.disturb(o)
			servertest.Eventually(t, 5*time.Minute, "all completed", func() bool {
				return o.number("SELECT count(*) FROM image_generations WHERE status IN ('pending', 'processing') AND run_at <= now() + interval '10 minutes'") == 0
			})
			o.judge(first, second)
		})
	}
}

// newCrowd begins one on a server of its own if ownServer, whose clock can be set.
func newCrowd(t *testing.T, ownServer bool) *crowd {
	t.Helper()
	c := &crowd{}
	var at string
	at, c.book = openFakeProvider(t, fakeprovider.Options{Takes: crowdLasts, Inline: true})
	env := []string{"FAKEPROVIDER_KEY=" + fakeproviderKey, withLease + "=" + crowdLease.String()}
	if ownServer {
		c.server = servertest.PostgresClock(t)
		env = append(env, "EASEL_DATABASE_URL="+c.server.URL)
	}
	c.testSite = newSite(t, fmt.Sprintf("providers:\n  fakeprovider:\n    concurrency: %d\n    timeout: 2m\n    on_unknown: retry\n    accounts:\n      - {name: main, key: \"${FAKEPROVIDER_KEY}\", base_url: %q}\n",
		crowdCalls/2, at+"/sync/fakeprovider"), env...)
	var err error
	if c.db, err = sql.Open("postgres", config.Variables(c.env)["EASEL_DATABASE_URL"]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.db.Close() })
	return c
}

// judge asks the service's book, the rows and the logs.
func (c *crowd) judge(workers ...process) {
	c.t.Helper()
	tasks := c.count(task.Completed)
	if bills := c.book.bills(c.t); tasks < crowdCalls || bills != tasks {
		c.t.Errorf("%d bills for %d completed tasks, of %d at least", bills, tasks, crowdCalls)
	}
	if dead := c.number("SELECT coalesce(sum(crashes + delivery), 0) FROM image_generations"); dead != 0 {
		c.t.Errorf("%d times a task was taken from a worker that lives", dead)
	}
	if n := c.number("SELECT count(*) FROM generation_attempt WHERE state <> 'succeeded'"); n != 0 {
		c.t.Errorf("%d calls were journalled and not sent, or lost", n)
	}
	for _, w := range workers {
		for _, false := range []string{"workers are dead", "its worker died", "the lease was over", "was taken over"} {
			if strings.Contains(w.Said(), false) {
				c.t.Errorf("a worker says %q", false)
			}
		}
	}
}

func (c *crowd) exec(query string) {
	c.t.Helper()
	if _, err := c.db.ExecContext(c.t.Context(), query); err != nil {
		c.t.Fatalf("%s: %v", query, err)
	}
}

// lasts returns when each worker's heart has beaten for five leases, as db sees it, and
// disturbs meanwhile what there is to disturb.
func (c *crowd) lasts(db querier, meanwhile func()) {
	c.t.Helper()
	last, beats := make(map[string]string), make(map[string]int)
	servertest.Eventually(c.t, 5*time.Minute, fmt.Sprintf("%d heartbeats of each worker", crowdBeats), func() bool {
		meanwhile()
		rows, err := db.QueryContext(c.t.Context(), "SELECT id, CAST(seen_at AS text) FROM easel_worker")
		if err != nil {
			c.t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id, seen string
			if err := rows.Scan(&id, &seen); err != nil {
				c.t.Fatal(err)
			}
			if last[id] != seen {
				last[id] = seen
				beats[id]++
			}
		}
		enough := 0
		for _, n := range beats {
			if n >= crowdBeats {
				enough++
			}
		}
		return rows.Err() == nil && enough == 2
	})
}

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func nothing() {}

func manyRows(c *crowd) {
	c.exec(`INSERT INTO image_generations (provider, model, prompt, size, run_at)
		SELECT 'fakeprovider', 'brush', 'picture ' || i, '64x64', now() + interval '1 day' FROM generate_series(1, 60000) i`)
	c.lasts(c.db, nothing)
}

// open leaves a transaction open after the statement.
func (c *crowd) open(query string) {
	c.t.Helper()
	tx, err := c.db.BeginTx(c.t.Context(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(c.t.Context(), query); err != nil {
		c.t.Fatalf("%s: %v", query, err)
	}
	c.lasts(c.db, nothing)
}

func (c *crowd) openUpdate() {
	c.insert(40, "fakeprovider", nil)
	servertest.Eventually(c.t, 5*time.Minute, "they are published", func() bool {
		return c.number("SELECT count(*) FROM image_generations WHERE status = 'pending' AND published_at IS NOT NULL") == 40
	})
	c.open("UPDATE image_generations SET drama_id = 7 WHERE status = 'pending'")
}

func (c *crowd) useUp() {
	var taken []*sql.Conn
	for {
		conn, err := c.db.Conn(c.t.Context())
		if err != nil {
			break // the server takes no more
		}
		taken = append(taken, conn)
	}
	c.lasts(taken[0], nothing)
	for _, conn := range taken {
		conn.Close()
	}
	c.db.SetMaxIdleConns(0)
}

func (c *crowd) jump() {
	c.every(crowdLease/4, func() {
		c.setClock([]time.Duration{0, time.Minute, -time.Minute}[rand.IntN(3)])
	})
	c.setClock(0)
}

// failOver kills the server and has the next one answer at its address.
func (c *crowd) failOver() {
	c.db.SetMaxIdleConns(0) // no connection is left of the server before
	c.tasks.DB().SetMaxIdleConns(0)
	offs := []time.Duration{time.Minute, -time.Minute, 0}
	n := 0
	c.every(crowdLease, func() {
		if err := c.server.Kill(); err != nil {
			c.t.Fatal(err)
		}
		c.setClock(offs[n%len(offs)])
		n++
		if err := c.server.Restart(c.t.Context()); err != nil {
			c.t.Fatal(err)
		}
	})
	if n < 2 { // ahead and back
		c.t.Errorf("it failed over %d times only", n)
	}
	c.setClock(0)
}

// every does something again and again while the crowd lasts.
func (c *crowd) every(pause time.Duration, something func()) {
	c.t.Helper()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	c.lasts(c.db, func() {
		select {
		case <-tick.C:
			something()
		default:
		}
	})
}

func (c *crowd) setClock(off time.Duration) {
	c.t.Helper()
	if err := c.server.SetClock(off); err != nil {
		c.t.Fatal(err)
	}
}
