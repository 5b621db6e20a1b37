package task

import "slices"

// Answer returns which of the results of a completed task is the one that it shows as its
// own, and whose attempt its other pictures belong to; nil if there is none. results are in
// the order of their attempts and positions. A row that a former release has completed
// does not name its answer: there its address tells, and failing that the order.
func (t *Task) Answer(results []Result) *Result {
	if t.Status != Completed || len(results) == 0 {
		return nil
	}
	for _, is := range []func(Result) bool{
		func(r Result) bool { return t.AnswerResultID != nil && r.ID == *t.AnswerResultID },
		func(r Result) bool { return r.GeneratedImageURL == t.ImageURL },
	} {
		if i := slices.IndexFunc(results, is); i >= 0 {
			return &results[i]
		}
	}
	return &results[0]
}
