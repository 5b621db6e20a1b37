package check

import "slices"

// judgeTruth is I11.
func judgeTruth(b *books, f *finding) {
	for _, d := range b.all {
		for _, a := range d.attempts {
			if (a.State == failed || a.State == unknown) && a.ErrorMsg == "" {
				f.against(d, "attempt %d is %s without an error_msg", a.Number, a.State)
			}
		}
		if d.row == nil {
			continue
		}
		if final(d.row.Status) && d.row.CompletedAt.IsZero() {
			f.against(d, "is %s without a completed_at", d.row.Status)
		}
		switch d.row.Status {
		case failed:
			d.judgeReason(f)
		case completed:
			d.judgeMirror(f)
			b.judgeCost(d, f)
		}
	}
}

// judgeReason looks at why a task failed. Which calls are unknown has to be
// said; they are not if the truth came later.
func (d *dossier) judgeReason(f *finding) {
	if d.row.ErrorMsg == "" {
		f.against(d, "failed without an error_msg")
	}
	if d.row.ErrorKind == "" {
		f.against(d, "failed without an error_kind")
	}
	all := func(state string) bool {
		return !slices.ContainsFunc(d.attempts, func(a *Attempt) bool { return a.State != state })
	}
	if d.row.ErrorKind == outcomeUnknown && all(rejected) {
		f.against(d, "says that an outcome is unknown, and no call of its journal may have happened")
	}
}

// judgeMirror compares the row with the first picture of its answer.
func (d *dossier) judgeMirror(f *finding) {
	if n := len(d.results); n > 0 && n < d.wanted() && d.row.ErrorMsg == "" {
		f.against(d, "is completed with %d pictures of %d, and does not say why", n, d.wanted())
	}
	if d.row.ErrorKind != "" || d.row.ErrorCode != "" {
		f.against(d, "is completed and has the error %s %s", d.row.ErrorKind, d.row.ErrorCode)
	}
	if d.answer == nil {
		return
	}
	first := d.results[slices.IndexFunc(d.results, func(r *Result) bool { return r.AttemptID == d.answer.ID })]
	if d.row.ImageURL != first.URL {
		f.against(d, "image_url is %.80q, and the first picture is at %.80q", d.row.ImageURL, first.URL)
	}
	if d.row.Width != first.Width || d.row.Height != first.Height {
		f.against(d, "is %dx%d, and the first picture is %dx%d", d.row.Width, d.row.Height, first.Width, first.Height)
	}
}

// judgeCost compares the row's cost with that of its attempts, unless one of
// them was answered too late, or just about, to be known when it completed. That
// which is kept by then is known.
func (b *books) judgeCost(d *dossier, f *finding) {
	var sum int64
	for _, a := range d.attempts {
		known := a.State == succeeded && !a.FinishedAt.After(d.row.CompletedAt.Time)
		if a != d.answer && !known && a.AnsweredAt.After(d.row.CompletedAt.Add(-b.Limits.Slack)) {
			return
		}
		if a.CostMicros != nil {
			sum += *a.CostMicros
		}
	}
	if d.row.CostMicros != nil && *d.row.CostMicros != sum || d.row.CostMicros == nil && sum != 0 {
		f.against(d, "cost_micros is %s, and its attempts cost %d", amount(d.row.CostMicros), sum)
	}
}
