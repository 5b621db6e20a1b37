package store

import (
	"context"
	"strings"
	"sync"
	"time"
)

// watch is what this process has seen of the workers' heartbeats. Whether a
// worker is dead goes by our own monotonic time alone: its row has not changed
// for a lease, and we have looked all the while. No clock that jumps, ours or
// the database's, shortens that.
type watch struct {
	mu    sync.Mutex
	seen  map[string]sighting // by worker
	asked time.Time           // when the last look that was answered began
	ended time.Time           // when it was answered
}

// sighting is a worker's heartbeat that has been seen at least once.
type sighting struct {
	beat  string        // seen_at as the database writes it
	since time.Time     // when this one was first seen
	lease time.Duration // that the worker gave itself with it
}

// Observe looks at the heartbeats of all workers. Only processes that do so
// often can take tasks from dead workers, by Claim and ReclaimExpired: between two looks
// there may be no more than a third of a lease, or watching begins anew; so it
// does after an error, for workers could not beat either. A lease that is too short
// to be seen running out by who looks each every counts as six times that. It returns
// the ids of workers that are found dead since the last look.
func (s *Store) Observe(ctx context.Context, every time.Duration) ([]string, error) {
	var rows []struct {
		ID         string    `json:"id"`
		Beat       string    `json:"beat"`
		SeenAt     time.Time `json:"seen_at"`
		LeaseUntil time.Time `json:"lease_until"`
	}
	asked := time.Now()
	err := s.db.SelectContext(ctx, &rows, "SELECT id, CAST(seen_at AS text) AS beat, seen_at, lease_until FROM easel_worker")
	ended := time.Now()
	if err != nil {
		s.watch.forget()
		return nil, err
	}
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	var died []string
	gap, seen := ended.Sub(s.watch.ended), make(map[string]sighting, len(rows))
	for _, r := range rows {
		now := sighting{r.Beat, ended, r.LeaseUntil.Sub(r.SeenAt)}
		if now.lease >= 0 { // else it has left
			now.lease = max(now.lease, 6*every)
		}
		if before, known := s.watch.seen[r.ID]; known && before.beat == now.beat && gap <= now.lease/3 {
			now.since = before.since
			if now.dead(asked) && !before.dead(s.watch.asked) {
				died = append(died, r.ID)
			}
		}
		seen[r.ID] = now
	}
	s.watch.seen, s.watch.asked, s.watch.ended = seen, asked, ended
	return died, nil
}

// ResetWatch begins watching anew. Whoever cannot write to the database, or hardly,
// calls it: others cannot either, and who is silent need not be dead.
func (s *Store) ResetWatch() { s.watch.forget() }

func (w *watch) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.ended = nil, time.Time{}
}

// dead reports whether the worker's heartbeat had stood still for its lease at t.
func (s sighting) dead(t time.Time) bool { return s.lease >= 0 && t.Sub(s.since) >= s.lease }

// claimAhead is longer than any lease: a claim that ends later than that from now was
// made when the clock was ahead.
const claimAhead = 10 * time.Minute

// leaseDead holds for a processing row whose worker is gone: the claim is older
// than a lease, or was made when the clock was ahead, and the worker has left (then
// its lease ends before it was seen), or its heartbeat is still the one that has stood
// still. That is compared within the statement that takes the task: one that beats
// meanwhile is left alone. A row that no worker has ever held is the app's, which lets
// nobody else end it.
// It returns the condition and its arguments.
func (s *Store) leaseDead() (condition string, args []any) {
	silent, args := s.watch.silent()
	over := "(coalesce(lease_until, run_at) < now() OR lease_until > " + s.dialect.later + ")"
	beats := "SELECT 1 FROM easel_worker w WHERE w.id = image_generations.worker AND w.lease_until >= w.seen_at"
	return "(worker IS NOT NULL AND " + over + " AND NOT EXISTS (" + beats + " AND NOT " + silent + "))",
		append([]any{claimAhead.Milliseconds()}, args...)
}

// silent is the condition that a row w of easel_worker is that of a worker whose
// death has been seen.
func (w *watch) silent() (condition string, args []any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, s := range w.seen {
		if s.dead(w.asked) && time.Since(w.ended) <= s.lease/3 {
			args = append(args, id, s.beat)
		}
	}
	if len(args) == 0 {
		return "(1 = 0)", nil
	}
	row := "(CAST(? AS text), CAST(? AS text))"
	return "((w.id, CAST(w.seen_at AS text)) IN (VALUES " + strings.Repeat(row+", ", len(args)/2-1) + row + "))", args
}
