package check

import (
	"slices"
	"time"
)

// judgeFinal is I5: by the history, and by what clients saw one after the other,
// with the table as what is seen last.
func judgeFinal(b *books, f *finding) {
	for _, d := range b.all {
		if b.histories[d.id] == ofEnd {
			f.against(d, "was final and moved without a retry, or was retried when it was not final")
		}
		if d.row != nil {
			b.judgeSeen(d, f)
		}
	}
	if len(b.History) == 0 {
		f.note = "there is no history; judged by what clients saw"
	}
}

// glimpse is a status that somebody saw.
type glimpse struct {
	began, at time.Time
	status    string
}

// judgeSeen looks for a read that began after another had seen a final status,
// and saw something else. Only a retry that was asked for before the read ended
// or the late answer of a call explains that, and nothing does if the task was completed.
func (b *books) judgeSeen(d *dossier, f *finding) {
	var last *glimpse // the last final status
	for _, g := range b.glimpses(d) {
		moved := last != nil && g.began.After(last.at) && g.status != last.status
		if moved && (last.status == completed || !retried(d, last, &g) && !d.cameLate(last, &g)) {
			f.against(d, "was seen %s at %s and %s at %s", last.status, stamp(When{last.at}), g.status, stamp(When{g.at}))
			return
		}
		if final(g.status) {
			last = &g
		}
	}
}

func (b *books) glimpses(d *dossier) []glimpse {
	var all []glimpse
	for _, t := range d.told {
		switch t.Event {
		case "seen":
			all = append(all, glimpse{t.asked(), t.At.Time, t.Detail})
		case "cancel":
			all = append(all, glimpse{t.asked(), t.At.Time, cancelled})
		}
	}
	end := b.Run.Settled.Time
	if n := len(all); n > 0 && !end.After(all[n-1].at) {
		end = all[n-1].at.Add(1)
	}
	return append(all, glimpse{end, end, d.row.Status})
}

// cameLate reports whether the late answer of one of the task's calls may have completed it
// between two looks: the one way out of failed that needs no person. Nobody needs to have looked
// while it was held.
func (d *dossier) cameLate(from, to *glimpse) bool {
	if from.status != failed || to.status != completed || len(d.attempts) == 0 {
		return false
	}
	return slices.ContainsFunc(d.attempts, func(a *Attempt) bool {
		return a.State == succeeded && !a.FinishedAt.Before(from.began) && !a.FinishedAt.After(to.at)
	})
}

// retried reports whether a retry may lie between two looks.
func retried(d *dossier, from, to *glimpse) bool {
	for _, t := range d.told {
		lost := t.Event == "retry_lost" // nobody knows when it came
		if (lost || t.Event == "retry" && !t.At.Before(from.began)) && !t.asked().After(to.at) {
			return true
		}
	}
	return false
}
