package storetest

import (
	"errors"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func machines() []claim {
	return []claim{
		{"Whatever happens in whatever order, the status machine holds", statusMachine},
	}
}

// statusMachine does random things to one task and compares the row with a model
// of a few words: what its status is, which delivery and fence are valid, and
// who holds it.
func statusMachine(b *bench) {
	rapid.Check(b, func(t *rapid.T) {
		b.clear()
		m := &machine{bench: b}
		m.id = b.insert(task.Task{}).ID
		m.status = task.Pending
		t.Repeat(map[string]func(*rapid.T){
			"":        m.compare,
			"claim":   m.claim,
			"steal":   m.steal,
			"begin":   m.begin,
			"release": m.release,
			"fail":    m.fail,
			"save":    m.save,
			"cancel":  m.cancel,
			"retry":   m.retry,
			"archive": m.archive,
			"renew":   m.redeliver,
		})
	})
}

// machine is the model, and every claim that was ever handed out.
type machine struct {
	*bench
	id int64

	status   task.Status
	delivery int
	fence    int64
	claims   []*store.Claim // the last one may be valid, all others are of zombies
	begun    map[int64]*task.Attempt
}

func (m *machine) compare(t *rapid.T) {
	row := m.get(m.id)
	if row.Status != m.status || row.Delivery != m.delivery || row.Fence != m.fence {
		t.Fatalf("the row is %s, delivery %d, fence %d; want %s, %d, %d", row.Status, row.Delivery, row.Fence, m.status, m.delivery, m.fence)
	}
	if row.Status.Final() != (row.CompletedAt != nil) {
		t.Fatalf("%s with completed_at %v", row.Status, row.CompletedAt)
	}
	if (row.Status == task.Processing) != (row.LeaseUntil != nil) {
		t.Fatalf("%s with lease_until %v", row.Status, row.LeaseUntil)
	}
}

// moved notes that something took the fence.
func (m *machine) moved(to task.Status, deliveries int) {
	m.status, m.delivery, m.fence = to, m.delivery+deliveries, m.fence+1
}

func (m *machine) take(t *rapid.T, ref task.Ref, worker string) {
	lease := rapid.SampledFrom([]time.Duration{lease, gone}).Draw(t, "lease")
	c, refusal, err := m.store.Claim(m.Context(), ref, worker, lease)
	m.check(err)
	free := m.status == task.Pending || m.status == task.Processing && m.holderGone(worker)
	if want := ref.Delivery == m.delivery && free; (c != nil) != want {
		t.Fatalf("claim of %v by %s while %s, delivery %d: %v, %+v", ref, worker, m.status, m.delivery, c != nil, refusal)
	}
	if c == nil {
		return
	}
	m.moved(task.Processing, 0)
	m.claims = append(m.claims, c)
}

// holderGone says whether worker may take the task from who holds it: its own
// name is on it, or the holder's lease is over.
func (m *machine) holderGone(worker string) bool {
	row := m.get(m.id)
	return row.Worker == worker || row.LeaseUntil.Before(time.Now())
}

func (m *machine) claim(t *rapid.T) {
	delivery := m.delivery + rapid.IntRange(-1, 1).Draw(t, "delivery offset")
	m.take(t, task.Ref{Task: m.id, Delivery: delivery}, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "worker"))
}

func (m *machine) steal(t *rapid.T) {
	reclaimed, err := m.store.ReclaimExpired(m.Context(), 10)
	m.check(err)
	if len(reclaimed) == 0 {
		return
	}
	if m.status != task.Processing || len(reclaimed) != 1 {
		t.Fatalf("%d were reclaimed while %s", len(reclaimed), m.status)
	}
	m.moved(task.Pending, 1)
}

// any returns one of the claims that were handed out, and whether it is the valid one.
func (m *machine) any(t *rapid.T) (c *store.Claim, valid bool) {
	if len(m.claims) == 0 {
		t.Skip("nobody has claimed yet")
	}
	c = rapid.SampledFrom(m.claims).Draw(t, "claim")
	return c, m.status == task.Processing && c.Task.Fence == m.fence
}

// wrote checks that a write went through exactly if the claim was valid.
func (m *machine) wrote(t *rapid.T, what string, valid bool, err error) {
	if fenced := errors.Is(err, store.ErrFenced); err != nil && !fenced || fenced == valid {
		t.Fatalf("%s with a claim whose validity is %v: %v", what, valid, err)
	}
}

func (m *machine) begin(t *rapid.T) {
	c, valid := m.any(t)
	a := &task.Attempt{Key: rapid.StringMatching(`[a-z0-9]{24}`).Draw(t, "key"), Provider: "painter"}
	err := m.beginAs(c.Task, a)
	m.wrote(t, "begin", valid, err)
	if err == nil {
		if m.begun == nil {
			m.begun = make(map[int64]*task.Attempt)
		}
		m.begun[c.Task.Fence] = a
	}
}

func (m *machine) release(t *rapid.T) {
	c, valid := m.any(t)
	m.wrote(t, "release", valid, m.store.Release(m.Context(), c.Task.Token(), 0, "handed back"))
	if valid {
		m.status = task.Pending
	}
}

func (m *machine) fail(t *rapid.T) {
	c, valid := m.any(t)
	v := task.Decision{Status: rapid.SampledFrom([]task.Status{task.Pending, task.Failed}).Draw(t, "verdict"),
		Failure: &task.Failure{Kind: task.Unavailable, Executed: task.NotExecuted, Message: "no"}}
	m.wrote(t, "fail", valid, m.finish(store.Decided{Held: c.Task.Token(), Decision: v, Attempt: m.begun[c.Task.Fence]}))
	if valid {
		m.status = v.Status
	}
}

func (m *machine) save(t *rapid.T) {
	c, valid := m.any(t)
	a := m.begun[c.Task.Fence]
	if a == nil {
		t.Skip("no attempt was begun under this claim")
	}
	results := []task.Result{{GeneratedImageURL: "http://here/1.png", ContentType: "image/png", Width: 1, Height: 1, StorageKey: "1.png"}}
	m.wrote(t, "save", valid, m.finish(store.Completed{Held: c.Task.Token(), Attempt: a, Completion: store.Completion{Results: results}}))
	if valid {
		m.status = task.Completed
	}
}

func (m *machine) cancel(t *rapid.T) {
	_, err := m.store.Cancel(m.Context(), task.Seen{Task: m.id})
	m.allowed(t, "cancel", !m.status.Final(), err)
	if err == nil {
		m.moved(task.Cancelled, 0)
	}
}

func (m *machine) retry(t *rapid.T) {
	seen := m.get(m.id).Seen()
	seen.Delivery += rapid.IntRange(-1, 1).Draw(t, "deliveries off")
	seen.Fence += rapid.Int64Range(-1, 1).Draw(t, "fences off")
	unknown := slices.ContainsFunc(m.attempts(m.id), func(a task.Attempt) bool {
		return a.State == task.AttemptSending || a.State == task.AttemptUnknown // none of its workers lives
	})
	notCharged := rapid.Bool().Draw(t, "not charged")
	_, err := m.store.Retry(m.Context(), seen, notCharged)
	may := (m.status == task.Failed || m.status == task.Cancelled) && seen.Delivery == m.delivery && seen.Fence == m.fence
	if may && notCharged && !unknown {
		if !errors.As(err, new(*store.NothingUnknown)) {
			t.Fatalf("retry of a task without an unknown call, that it was not charged: %v", err)
		}
		return
	}
	m.allowed(t, "retry", may, err)
	if err == nil {
		m.moved(task.Pending, 1)
	}
}

func (m *machine) allowed(t *rapid.T, what string, may bool, err error) {
	var not *store.NotAllowed
	if errors.As(err, &not) == may || err != nil && not == nil {
		t.Fatalf("%s while %s: %v", what, m.status, err)
	}
}

func (m *machine) archive(t *rapid.T) {
	archived, err := m.store.Archive(m.Context(), task.Ref{Task: m.id, Delivery: m.delivery}, &task.Failure{Kind: task.Archived, Executed: task.NotExecuted, Message: "by hand"})
	m.check(err)
	if (archived != nil) != (m.status == task.Pending) {
		t.Fatalf("archived is %v while %s", archived, m.status)
	}
	if archived != nil {
		m.moved(task.Failed, 0)
	}
}

func (m *machine) redeliver(*rapid.T) {
	m.check(m.store.Redeliver(m.Context(), []task.Ref{{Task: m.id, Delivery: m.delivery}}))
	if m.status == task.Pending {
		m.moved(task.Pending, 1)
	}
}
