package check

// judgeLost is I1. A task that a client scheduled for later than the end of the
// run may still wait; it has never been started.
func judgeLost(b *books, f *finding) {
	for _, d := range b.all {
		if rows := d.rows(); d.tag != "" && d == d.owners[0] && len(rows) > 1 {
			f.against(d, "tag %s was inserted once and is %d rows: %v", d.tag, len(rows), rows)
		}
		b.judgeInserted(d, f)
	}
}

func (b *books) judgeInserted(d *dossier, f *finding) {
	inserted := false
	for _, t := range d.told {
		inserted = inserted || t.Event == "acked" || t.Event == "lost"
		if d.row != nil && t.Event == "acked" && t.Tag != d.tag {
			f.against(d, "acknowledged for tag %q, and the prompt of its row carries %q", t.Tag, d.tag)
		}
	}
	switch {
	case d.row == nil:
		d.judgeMissing(f)
	case !inserted:
		f.against(d, "is in the table, and no client inserted it")
	case !final(d.row.Status) && !b.scheduled(d.row):
		f.against(d, "is %s after everything settled", d.row.Status)
	}
}

// judgeMissing looks for anybody who knows of a row that is not there. An insert
// whose acknowledgement was lost may never have happened.
func (d *dossier) judgeMissing(f *finding) {
	for _, t := range d.told {
		if t.Event != "lost" {
			f.against(d, "%s at %s and not in the table", t.Event, stamp(t.At))
			return
		}
	}
	if len(d.attempts)+len(d.results)+len(d.ops) > 0 {
		f.against(d, "was worked on and is not in the table")
	}
}

// rows returns the ids of the rows that carry the tag.
func (p *purse) rows() []int64 {
	var ids []int64
	for _, d := range p.owners {
		if d.row != nil {
			ids = append(ids, d.id)
		}
	}
	return ids
}

// scheduled reports whether a row was not due before the end of the run, and nobody has begun with it.
func (b *books) scheduled(r *Row) bool {
	return r.Status == pending && r.StartedAt.IsZero() && r.RunAt.After(b.Run.Settled.Time)
}
