package sabotage

// ofFlushes are mutants of the journal that writes together.
var ofFlushes = []Mutant{
	{
		Name: "no fence in a flush", Rule: "Every write carries the fence of its claim",
		Edits: []Edit{{"store/many.go", "fence = w.token AND", "fence >= w.token AND"}},
		Lives: Lives{Test: Test{"store", "^TestPostgresBatched$/^Fence$"}},
	},
	{
		Name: "what a flush has left out counts as written", Rule: "Each caller of a flush has its own answer",
		Edits: []Edit{{"store/flush.go", "!written {", "!written && false {"}},
		Lives: Lives{Test: Test{"store", "^TestPostgresBatched$/^Fence$"}},
	},
	{
		Name: "a flush waits for a locked task", Rule: "An app's lock delays its own rows only",
		Edits: []Edit{{"store/many.go", "filled(and, n) + s.dialect.skipLocked + `) AS held`", "filled(and, n) + ` FOR NO KEY UPDATE) AS held`"}},
		Lives: Lives{Test: Test{"store", "^TestOneTaskOfAFlushIsLocked$"}},
	},
	{
		Name: "a call that was left is overtaken", Rule: "A call that was not sent is not journalled as sent",
		Edits: []Edit{{"store/batched.go", "	if err := g.left.await(ctx, g.task(v)); err != nil {", "	if err := ctx.Err(); err != nil {"}},
		Lives: Lives{Test: Test{"store", "^TestACallThatWasLeftIsNotOvertaken$"}},
	},
	{
		Name: "one poisoned value fails its whole flush", Rule: "What the database refuses fails alone",
		Edits: []Edit{{"store/gather.go", "g.poisoned(err) && len(values) > 1", "g.poisoned(err) && len(values) < 0"}},
		Lives: Lives{Test: Test{"store", "^TestGatherer$/^One_poisoned"}},
	},
	{
		Name: "a flush ends with the first caller who goes", Rule: "Each caller of a flush has its own answer",
		Edits: []Edit{{"store/gather.go", "c.flush.callers--; c.flush.callers == 0", "c.flush.callers--; c.flush.callers >= 0"}},
		Lives: Lives{Test: Test{"store", "^TestGatherer$/^A_flush_that_the_others"}},
	},
}
