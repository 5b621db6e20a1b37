package check

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// dossier is everything that the books say of one task, each in the order of
// time. A tag that never became a row has one without a row.
type dossier struct {
	id       int64
	tag      string
	row      *Row
	attempts []*Attempt // by number
	results  []*Result  // by position
	told     []*Told
	ops      []*Op
	queued   []queued
	answer   *Attempt // whose pictures the completed row shows; nil if none

	*purse
}

// purse is what was bought for one tag. Rows that share a tag share it.
type purse struct {
	entries []*Entry
	owners  []*dossier
}

// queued is an entry of the queue for a task.
type queued struct {
	*Delivery
	delivery int
}

// books is the evidence, sorted by task.
type books struct {
	*Evidence
	all       []*dossier // by id; first the tags without a row, whose id is 0
	byTask    map[int64]*dossier
	byTag     map[string]*purse
	byKey     map[string]*Attempt // attempts by attempt_key
	drawn     map[string][]string // SHA-256 of pictures by attempt_key, where the provider saw it
	foreign   []*Delivery         // entries of the queue that name no delivery
	names     map[string]bool     // of workers, providers, tags, keys and jobs, for the targets of faults
	ambiguous []reach
	histories map[int64]breach // what no order explains, by task
	undecided int              // tasks for whose history the time was not enough
}

func newBooks(e *Evidence) *books {
	b := &books{Evidence: e, byTask: make(map[int64]*dossier, len(e.Tables.Tasks)), byTag: make(map[string]*purse, len(e.Tables.Tasks)),
		byKey: make(map[string]*Attempt, len(e.Tables.Attempts)), drawn: map[string][]string{}, names: map[string]bool{}}
	b.fileTags()
	b.fileRows()
	b.fileQueue()
	b.fileLedger()
	for i := range e.Tables.Workers {
		b.names[e.Tables.Workers[i].ID] = true
	}
	for i := range e.Faults {
		if e.Faults[i].Ambiguous {
			b.ambiguous = append(b.ambiguous, reach{&e.Faults[i], !b.names[e.Faults[i].Target]})
		}
	}
	for _, d := range b.all {
		d.sort()
		d.answer = d.shown()
	}
	slices.SortFunc(b.all, func(x, y *dossier) int { return cmp.Or(cmp.Compare(x.id, y.id), cmp.Compare(x.tag, y.tag)) })
	b.searchHistories()
	return b
}

// fileTags opens a purse for every tag that a client or a provider knows.
func (b *books) fileTags() {
	for i := range b.Clients {
		b.purse(b.Clients[i].Tag)
	}
	for i := range b.Ledger {
		b.purse(b.Ledger[i].Tag)
	}
}

func (b *books) purse(tag string) *purse {
	p, ok := b.byTag[tag]
	if !ok {
		p = &purse{}
		b.byTag[tag] = p
		b.names[tag] = tag != ""
	}
	return p
}

// task returns the dossier of a task, a new one if no book has named it yet.
func (b *books) task(id int64) *dossier {
	d, ok := b.byTask[id]
	if !ok {
		d = b.open(id)
		b.byTask[id] = d
	}
	return d
}

func (b *books) open(id int64) *dossier {
	d := &dossier{id: id}
	d.purse = &purse{owners: []*dossier{d}}
	b.all = append(b.all, d)
	return d
}

// fileRows files what carries a task's id.
func (b *books) fileRows() {
	for i := range b.Tables.Tasks {
		r := &b.Tables.Tasks[i]
		d := b.task(r.ID)
		d.row = r
		b.join(d, b.tagIn(r.Prompt))
	}
	for i := range b.Tables.Attempts {
		a := &b.Tables.Attempts[i]
		d := b.task(a.TaskID)
		d.attempts = append(d.attempts, a)
		if a.Key != "" {
			b.byKey[a.Key] = a
		}
		b.names[a.Worker], b.names[a.Provider], b.names[a.Key] = true, true, true
	}
	for i := range b.Tables.Results {
		d := b.task(b.Tables.Results[i].TaskID)
		d.results = append(d.results, &b.Tables.Results[i])
	}
	for i := range b.History {
		d := b.task(b.History[i].Task)
		d.ops = append(d.ops, &b.History[i])
	}
	b.fileTold()
}

// fileTold files what a client was told under the task, or under the rows of its
// tag. A tag that has none gets a dossier of its own.
func (b *books) fileTold() {
	for i := range b.Clients {
		t := &b.Clients[i]
		if t.Task == 0 {
			continue
		}
		d := b.task(t.Task)
		if d.row == nil && d.tag == "" {
			b.join(d, t.Tag)
		}
		d.told = append(d.told, t)
	}
	for tag, p := range b.byTag {
		if tag != "" && len(p.owners) == 0 {
			b.join(b.open(0), tag)
		}
	}
	for i := range b.Clients {
		t := &b.Clients[i]
		if t.Task != 0 {
			continue
		}
		for _, d := range b.byTag[t.Tag].owners {
			d.told = append(d.told, t)
		}
	}
}

func (b *books) join(d *dossier, tag string) {
	d.tag = tag
	if tag != "" {
		d.purse = b.byTag[tag]
		d.owners = append(d.owners, d)
	}
}

// tagIn returns the first known tag in a prompt.
func (b *books) tagIn(prompt string) string {
	for word := range strings.FieldsFuncSeq(prompt, notInTag) {
		if b.byTag[word] != nil {
			return word
		}
	}
	return ""
}

func (b *books) fileQueue() {
	for i := range b.Redis {
		entry := &b.Redis[i]
		left, right, _ := strings.Cut(entry.ID, ".")
		id, err := strconv.ParseInt(left, 10, 64)
		delivery, err2 := strconv.Atoi(right)
		if err != nil || err2 != nil {
			b.foreign = append(b.foreign, entry)
			continue
		}
		d := b.task(id)
		d.queued = append(d.queued, queued{entry, delivery})
	}
}

// fileLedger files the provider's lines under their tag and their key. A line
// that lacks one has that of the job it names.
func (b *books) fileLedger() {
	tags, keys := map[string]string{}, map[string]string{}
	job := func(e *Entry) string { return e.Provider + "\x00" + e.Job }
	for i := range b.Ledger {
		if e := &b.Ledger[i]; e.Job != "" {
			b.names[e.Job] = true
			tags[job(e)] = cmp.Or(tags[job(e)], e.Tag)
			keys[job(e)] = cmp.Or(keys[job(e)], e.Key)
		}
	}
	for i := range b.Ledger {
		e := &b.Ledger[i]
		b.names[e.Provider] = true
		if e.Job != "" {
			e.Tag, e.Key = cmp.Or(e.Tag, tags[job(e)]), cmp.Or(e.Key, keys[job(e)])
		}
		p := b.byTag[e.Tag]
		if a := b.byKey[e.Key]; a != nil && e.Tag == "" {
			p = b.byTask[a.TaskID].purse
		}
		p.entries = append(p.entries, e)
		if e.Key != "" {
			b.drawn[e.Key] = append(b.drawn[e.Key], e.Pictures...)
		}
	}
	delete(b.names, "")
}

func (d *dossier) sort() {
	slices.SortFunc(d.attempts, func(x, y *Attempt) int { return cmp.Compare(x.Number, y.Number) })
	slices.SortFunc(d.results, func(x, y *Result) int { return cmp.Compare(x.Position, y.Position) })
	slices.SortStableFunc(d.told, func(x, y *Told) int { return x.At.Compare(y.At.Time) })
	slices.SortStableFunc(d.ops, func(x, y *Op) int { return cmp.Compare(x.Call, y.Call) })
}

// shown returns the attempt whose picture the completed row shows, or else the
// last that left pictures.
func (d *dossier) shown() *Attempt {
	if d.row == nil || d.row.Status != completed {
		return nil
	}
	var last *Attempt
	for _, a := range d.attempts {
		for _, r := range d.results {
			if r.AttemptID != a.ID {
				continue
			}
			last = a
			if r.URL == d.row.ImageURL {
				return a
			}
		}
	}
	return last
}

// left reports whether the attempt left pictures with its task.
func (d *dossier) left(a *Attempt) bool {
	return slices.ContainsFunc(d.results, func(r *Result) bool { return r.AttemptID == a.ID })
}

// wanted is how many pictures the task is for.
func (d *dossier) wanted() int {
	if d.row == nil {
		return 1
	}
	return max(d.row.ImageCount, 1)
}
