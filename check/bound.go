package check

import (
	"fmt"
	"maps"
	"slices"
)

// judgeLeaks is I8. A counter may be a tenth above where it began, or five:
// pools keep some of what they have opened.
func judgeLeaks(b *books, f *finding) {
	if len(b.Run.Resources) == 0 {
		f.skip("run.json counts no resources")
		return
	}
	for _, process := range slices.Sorted(maps.Keys(b.Run.Resources)) {
		span := b.Run.Resources[process]
		for _, name := range slices.Sorted(maps.Keys(span.Begin)) {
			begin := span.Begin[name]
			end, counted := span.End[name]
			switch {
			case !counted:
				f.add("%s: %s were %d at the begin and not counted at the end", process, name, begin)
			case end > begin+max(5, begin/10):
				f.add("%s: %s went from %d to %d", process, name, begin, end)
			}
		}
	}
}

// judgeBounds is I9.
func judgeBounds(b *books, f *finding) {
	for _, d := range b.all {
		over := func(what, text string, limit int) {
			if len(text) > limit {
				f.against(d, "%s has %d bytes; at most %d are stored", what, len(text), limit)
			}
		}
		if d.row != nil {
			over("error_msg", d.row.ErrorMsg, b.Limits.ErrorMsg)
			over("api_response", d.row.APIResponse, b.Limits.APIResponse)
		}
		for _, a := range d.attempts {
			over(fmt.Sprintf("error_msg of attempt %d", a.Number), a.ErrorMsg, b.Limits.ErrorMsg)
		}
	}
}

// judgeCanaries is I10.
func judgeCanaries(b *books, f *finding) {
	if len(b.Run.Canaries) == 0 {
		f.skip("run.json names no canaries")
		return
	}
	f.note = fmt.Sprintf("%d canaries, %d files", len(b.Run.Canaries), b.Searched)
	for _, h := range b.Hits {
		f.add("canary %d is in %s at byte %d", h.Canary, h.File, h.Offset)
	}
}
