package sabotage

// ofBounds are mutants that hold more than they may.
var ofBounds = []Mutant{
	{
		Name: "a refusal's body read without bound", Rule: "Nothing from outside is read without a bound",
		Edits: []Edit{{"provider/client.go", "io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))", "io.ReadAll(resp.Body)"}},
		Lives: Lives{Test: Test{Package: "provider", Run: "^TestARefusalIsReadWithABound$"}},
	},
	{
		Name: "large pictures stay in memory", Rule: "Large texts of an answer never lie in memory",
		Edits: []Edit{{"provider/sieve.go", "s.kept.Len()-s.begun >= longText {", "s.kept.Len()-s.begun >= longText && false {"}},
		Lives: Lives{Test: Test{Package: "provider", Run: "^TestLargeAnswersTakeLittleMemory$"}},
	},
	{
		Name: "an answer of millions of values is read", Rule: "What a tree of an answer takes is bounded before it is made",
		Edits: []Edit{{"provider/tally.go", "case t.values > maxValues*factor:", "case false:"}},
		Lives: Lives{Test: Test{Package: "provider", Run: "^TestAnOddAnswerTakesLittleMemoryAndIsNoRefusal$"}},
	},
	{
		Name: "one provider's flood takes all", Rule: "No provider starves another",
		Edits: []Edit{{"internal/budget/budget.go", "return held > 0 && held+c.n", "return false && held+c.n"}},
		Lives: Lives{Test: Test{Package: "internal/budget", Run: "^TestBudget$"}},
	},
	{
		Name: "a slow body may come for ever", Rule: "Slow requests are cut on every route",
		Edits: []Edit{{"internal/httpserver/httpserver.go", "SetReadDeadline(time.Now().Add(arrival))", "SetReadDeadline(time.Time{})"}},
		Lives: Lives{Test: Test{Package: "internal/httpserver", Run: "^TestSlowRequestsAreCut$"}},
	},
}
