//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/easelqueue/easel/internal/pause"
)

// profile looks at PostgreSQL while a worker drains; nil looks at nothing.
type profile struct {
	*measurement
	stop context.CancelFunc
	done sync.WaitGroup

	looks int
	waits map[string]int // by what sessions were seen to wait for
}

const sampleEvery = 5 * time.Millisecond

func (m *measurement) beginProfile(ctx context.Context) (*profile, error) {
	if m.Profile == "" {
		return nil, nil
	}
	if err := os.MkdirAll(m.Profile, 0o755); err != nil {
		return nil, err
	}
	for _, reset := range []string{"SELECT pg_stat_statements_reset()", "SELECT pg_stat_reset_shared('wal')"} {
		if _, err := m.admin.ExecContext(ctx, reset); err != nil {
			return nil, err
		}
	}
	if err := m.client.ConfigResetStat(ctx).Err(); err != nil {
		return nil, err
	}
	p := &profile{measurement: m, waits: map[string]int{}}
	ctx, p.stop = context.WithCancel(ctx)
	p.done.Go(func() { p.sample(ctx) })
	return p, nil
}

// sample counts what the sessions of the worker wait for.
func (p *profile) sample(ctx context.Context) {
	for pause.For(ctx, sampleEvery) == nil {
		var seen []string
		err := p.admin.SelectContext(ctx, &seen, `SELECT CASE WHEN state = 'active' THEN coalesce(wait_event_type || ':' || wait_event, 'running') ELSE state END
			FROM pg_stat_activity WHERE datname = 'bench' AND backend_type = 'client backend' AND pid <> pg_backend_pid()`)
		if err != nil {
			continue // the end, most often
		}
		p.looks++
		for _, what := range seen {
			p.waits[what]++
		}
	}
}

// statement is a row of pg_stat_statements.
type statement struct {
	Calls float64 `db:"calls"`
	Plan  float64 `db:"plan"`
	Exec  float64 `db:"exec"`
	Rows  float64 `db:"rows"`
	WAL   float64 `db:"wal"`
	Query string  `db:"query"`
}

// end writes what was seen into the folder of profiles.
func (p *profile) end(ctx context.Context) error {
	if p == nil {
		return nil
	}
	p.stop()
	p.done.Wait()
	var all []statement
	err := p.admin.SelectContext(ctx, &all, `SELECT calls, total_plan_time AS plan, total_exec_time AS exec, rows, wal_bytes AS wal, query
		FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE datname = 'bench' ORDER BY calls DESC`)
	if err != nil {
		return err
	}
	var wal struct {
		Bytes float64 `db:"wal_bytes"`
		Syncs float64 `db:"wal_sync"`
		Time  float64 `db:"wal_sync_time"`
	}
	if err := p.admin.GetContext(ctx, &wal, "SELECT wal_bytes, wal_sync, wal_sync_time FROM pg_stat_wal"); err != nil {
		return err
	}
	var b strings.Builder
	tasks := float64(p.Tasks)
	fmt.Fprintf(&b, "%d tasks; per task: %.2f flushes of %.2f ms, %.0f bytes of WAL\n\n", p.Tasks, wal.Syncs/tasks, wal.Time/max(wal.Syncs, 1), wal.Bytes/tasks)
	fmt.Fprintf(&b, "sessions at a look, on average, over %d looks:\n", p.looks)
	for what, n := range p.waits {
		fmt.Fprintf(&b, "%8.2f %s\n", float64(n)/float64(max(p.looks, 1)), what)
	}
	fmt.Fprintf(&b, "\n%9s %9s %9s %9s %9s  per task, times in ms\n", "calls", "planning", "execution", "rows", "WAL bytes")
	for _, s := range all {
		fmt.Fprintf(&b, "%9.3f %9.4f %9.4f %9.3f %9.0f  %.900s\n", s.Calls/tasks, s.Plan/tasks, s.Exec/tasks, s.Rows/tasks, s.WAL/tasks, strings.Join(strings.Fields(s.Query), " "))
	}
	if info, err := p.client.InfoMap(ctx, "commandstats").Result(); err == nil {
		text, _ := json.MarshalIndent(info, "", "  ")
		fmt.Fprintf(&b, "\n%s\n", text)
	}
	return os.WriteFile(profileName(p.Profile, p.name)+".statements", []byte(b.String()), 0o644)
}
