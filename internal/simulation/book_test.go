package simulation

import (
	"database/sql/driver"
	"strings"
	"sync"
	"time"
)

// book is what a run leaves behind: everything that anybody outside of easel
// saw. Its lines are those of the files that package check reads.
type book struct {
	w *world

	mu      sync.Mutex
	ledger  []ledgerEntry
	told    []toldEntry
	faults  []faultEntry
	history []historyEntry
	spilled string            // what held a canary on its way to Redis or the database
	given   map[[2]int64]bool // tasks and the fences that taking away gave them; the database's turn guards it
}

type ledgerEntry struct {
	At       time.Time `json:"at"`
	Event    string    `json:"event"`
	Provider string    `json:"provider"`
	Class    string    `json:"class"`
	Key      string    `json:"key"`
	Tag      string    `json:"tag"`
	Job      string    `json:"job"`
	Billed   bool      `json:"billed"`
	Cut      bool      `json:"cut,omitempty"`
	Pictures []string  `json:"pictures"`
	Detail   string    `json:"detail,omitempty"`
}

type toldEntry struct {
	At     time.Time `json:"at"`
	Began  time.Time `json:"began"`
	Event  string    `json:"event"`
	Task   int64     `json:"task"`
	Tag    string    `json:"tag"`
	Door   string    `json:"door"`
	Detail string    `json:"detail"`
}

type faultEntry struct {
	At        time.Time `json:"at"`
	Until     time.Time `json:"until"`
	Kind      string    `json:"kind"`
	Target    string    `json:"target"`
	Detail    string    `json:"detail"`
	Ambiguous bool      `json:"ambiguous"`
}

type historyEntry struct {
	Task   int64  `json:"task"`
	Op     string `json:"op"`
	Client string `json:"client"`
	Call   int64  `json:"call"`
	Return int64  `json:"return"`
	Fence  int64  `json:"fence"`
	OK     bool   `json:"ok"`
	Status string `json:"status,omitempty"`
	Kind   string `json:"kind,omitempty"`
}

type storedPicture struct {
	SHA256 string `json:"sha256"`
	Size   int    `json:"size"`
}

func newBook(w *world) *book { return &book{w: w, given: make(map[[2]int64]bool)} }

func (b *book) enter(e ledgerEntry) {
	e.At = time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ledger = append(b.ledger, e)
}

func (b *book) tell(e toldEntry) {
	e.At = time.Now()
	if e.Began.IsZero() {
		e.Began = e.At
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, e)
}

// fault notes that f happened to p, which may be nil.
func (b *book) fault(f fault, p *process) {
	e := faultEntry{At: time.Now(), Kind: f.Kind, Detail: f.String(), Ambiguous: ambiguous[f.Kind]}
	e.Until = e.At.Add(max(f.For, 0))
	switch {
	case p != nil:
		e.Target = p.id
	case e.Ambiguous:
		return // a fault is noted when it meets its call
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, e)
}

// fated notes what became of the call with that key.
func (b *book) met(key, fault string) {
	if fault == "" {
		return
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, faultEntry{At: now, Until: now.Add(callTimeout), Kind: fault, Target: key, Detail: "what became of a call", Ambiguous: ambiguous[fault]})
}

func nothing() {}

// noteExec returns what the history says of a statement once it is committed.
// The database's turn is ours meanwhile.
func (b *book) noteExec(p *process, query string, args []driver.NamedValue, r driver.Result, call time.Duration) func() {
	if r == nil {
		return nothing
	}
	n, _ := r.RowsAffected()
	number := func(fromEnd int) int64 {
		v, _ := args[len(args)-fromEnd].Value.(int64)
		return v
	}
	text := func(i int) string {
		v, _ := args[i].Value.(string)
		return v
	}
	e := historyEntry{Client: p.id, Call: b.ns(call), OK: n > 0}
	switch op := sqlOp(query); {
	case op == "save" && strings.Contains(query, "status = 'failed' AND deleted_at IS NULL AND (error_kind = ?"):
		if n == 0 {
			return nothing
		}
		e.Op, e.Task = "came_late", number(5)
		e.Fence = b.fence(e.Task)
	case op == "save" || op == "release":
		e.Op, e.Task, e.Fence = op, number(2), number(1)
	case op == "fail":
		e.Op, e.Task, e.Fence, e.Status, e.Kind = op, number(2), number(1), text(0), text(5)
	case strings.Contains(query, "SET status = 'failed', fence") && n > 0:
		e.Op, e.Task = "archive", number(2)
		e.Fence = b.fence(e.Task)
	case strings.Contains(query, "delivery + 1 ELSE 0 END, fence = CASE"):
		return b.noteReclaimed(e, args)
	default:
		return nothing
	}
	return func() { b.happened(e) }
}

// noteReclaimed is noteExec for a statement that takes many tasks away, each with
// its delivery as it was.
func (b *book) noteReclaimed(e historyEntry, args []driver.NamedValue) func() {
	var all []historyEntry
	for i := 0; i+1 < len(args); i += 2 {
		one := e
		one.Op, one.OK = "reclaim", true
		one.Task, _ = args[i].Value.(int64)
		delivery, _ := args[i+1].Value.(int64)
		if b.number("SELECT delivery FROM image_generations WHERE id = ?", one.Task) != delivery+1 {
			continue
		}
		one.Fence = b.fence(one.Task)
		if b.given[[2]int64{one.Task, one.Fence}] { // somebody else did
			continue
		}
		b.given[[2]int64{one.Task, one.Fence}] = true
		all = append(all, one)
	}
	return func() {
		for _, one := range all {
			b.happened(one)
		}
	}
}

// noteQuery is noteExec for a statement that returns rows.
func (b *book) noteQuery(p *process, query string, args []driver.NamedValue, found *rows, call time.Duration) func() {
	if found == nil {
		return nothing
	}
	e := historyEntry{Op: sqlOp(query), Client: p.id, Call: b.ns(call), OK: len(found.all) > 0}
	switch e.Op {
	case "claim", "cancel", "retry":
		if !e.OK {
			return nothing
		}
		e.Task, e.Fence = found.number("id"), found.number("fence")
	case "begin":
		e.Task, _ = args[len(args)-1].Value.(int64)
		e.Fence, _ = args[len(args)-2].Value.(int64)
	default:
		return nothing
	}
	return func() { b.happened(e) }
}

func (b *book) happened(e historyEntry) {
	e.Return = b.ns(b.w.now())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.history = append(b.history, e)
}

func (b *book) ns(since time.Duration) int64 { return b.w.began.Add(since).UnixNano() }

func (b *book) fence(task int64) int64 {
	return b.number("SELECT fence FROM image_generations WHERE id = ?", task)
}

// number asks the database out of turn, for the one whose turn it is.
func (b *book) number(query string, arg int64) int64 {
	found, err := b.w.db.query(query, []driver.NamedValue{{Ordinal: 1, Value: arg}})
	if err != nil || len(found.all) == 0 {
		return 0
	}
	n, _ := found.all[0][0].(int64)
	return n
}

// number returns a column of the first row.
func (r *rows) number(column string) int64 {
	for i, name := range r.columns {
		if name == column {
			n, _ := r.all[0][i].(int64)
			return n
		}
	}
	return 0
}
