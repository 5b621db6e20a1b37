package check

import "slices"

// judgeEffect is I2.
func judgeEffect(b *books, f *finding) {
	for _, d := range b.all {
		own := make(map[int64]*Attempt, len(d.attempts))
		for _, a := range d.attempts {
			own[a.ID] = a
		}
		for _, r := range d.results {
			if own[r.AttemptID] == nil {
				f.against(d, "result %d is of attempt %d, which is not one of this task", r.ID, r.AttemptID)
				continue
			}
			b.judgeBytes(d, own[r.AttemptID], r, f)
		}
		if d.row == nil || d.row.Status != completed {
			continue
		}
		switch {
		case d.answer == nil && len(d.results) == 0:
			f.against(d, "completed without a picture")
		case d.answer != nil && d.answer.State != succeeded:
			f.against(d, "completed with attempt %d, which is %s", d.answer.Number, d.answer.State)
		}
		for _, a := range d.attempts {
			if a.Images > 0 && a.State == answered && !a.FinishedAt.IsZero() && !a.FinishedAt.After(d.row.CompletedAt.Time) {
				f.against(d, "completed although attempt %d was paid for and could not be collected", a.Number)
			}
		}
		b.judgeSurplus(d, f)
	}
}

// judgeSurplus looks for pictures beyond those that the task wants. It has them only
// of a call that was given up and came after all.
func (b *books) judgeSurplus(d *dossier, f *finding) {
	if d.answer == nil || len(d.results) <= d.wanted() {
		return
	}
	for _, a := range d.attempts {
		if d.left(a) && b.excused(d, a) {
			return
		}
	}
	for _, a := range d.attempts {
		if a != d.answer && d.left(a) {
			f.against(d, "has %d pictures, wants %d, and nothing happened that makes those of attempt %d or %d late", len(d.results), d.wanted(), d.answer.Number, a.Number)
			return
		}
	}
}

// judgeBytes holds a picture against storage and against what the provider drew.
func (b *books) judgeBytes(d *dossier, a *Attempt, r *Result, f *finding) {
	stored, ok := b.Pictures[r.StorageKey]
	switch {
	case r.StorageKey == "":
		f.against(d, "result %d has no storage_key", r.ID)
	case !ok:
		f.against(d, "result %d: %s is not in storage", r.ID, r.StorageKey)
	case stored.SHA256 != r.SHA256:
		f.against(d, "result %d says sha256 %s, and %s holds %s", r.ID, short(r.SHA256), r.StorageKey, short(stored.SHA256))
	case stored.Size != r.FileSize:
		f.against(d, "result %d says %d bytes, and %s holds %d", r.ID, r.FileSize, r.StorageKey, stored.Size)
	}
	if drawn, known := b.drawn[a.Key]; known {
		if !slices.Contains(drawn, r.SHA256) {
			f.against(d, "result %d is %s, which the provider did not draw for attempt %d", r.ID, short(r.SHA256), a.Number)
		}
		return
	}
	if !slices.ContainsFunc(d.entries, func(e *Entry) bool { return slices.Contains(e.Pictures, r.SHA256) }) {
		f.against(d, "result %d is %s, which no provider drew for tag %q", r.ID, short(r.SHA256), d.tag)
	}
}

// short is as much of a hash as a reader compares.
func short(hash string) string {
	const enough = 12
	return hash[:min(len(hash), enough)]
}
