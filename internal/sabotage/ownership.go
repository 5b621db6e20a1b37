package sabotage

// ofOwnership are mutants in which more than one may write, or nobody does.
var ofOwnership = []Mutant{
	{
		Name: "no fence on save", Rule: "Every write carries the fence of its claim",
		Edits: []Edit{{"store/finish.go", "			WHERE id = (SELECT id FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing'`+s.dialect.lock+`)`),\n		append(e.Completion.completing(e.Attempt)", "			WHERE id = (SELECT id FROM image_generations WHERE id = ? AND fence >= ? AND status = 'processing'`+s.dialect.lock+`)`),\n		append(e.Completion.completing(e.Attempt)"},
			{"store/locked.go", "WHERE id = ? AND fence = ? AND status = 'processing'\"+s.dialect.lock", "WHERE id = ? AND fence >= ? AND status = 'processing'\"+s.dialect.lock"}},
		Lives: Lives{Test: Test{"store", "^TestSQLite$/^Fence$"}},
	},
	{
		Name: "no fence on a part", Rule: "Every write carries the fence of its claim",
		Edits: []Edit{{"store/record.go", "		WHERE id = (SELECT id FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing'`+s.dialect.lock+`)`), f.Progress", "		WHERE id = (SELECT id FROM image_generations WHERE id = ? AND fence >= ? AND status = 'processing'`+s.dialect.lock+`)`), f.Progress"}},
		Lives: Lives{Test: Test{"store", "^TestSQLite$/^Late$"}},
	},
	{
		Name: "no fence before a call", Rule: "Who has lost a task buys nothing for it", Violates: []string{"I4"},
		Edits: []Edit{{"store/locked.go", "WHERE id = ? AND fence = ? AND status = 'processing'\"+s.dialect.lock", "WHERE id = ? AND fence >= ? AND status = 'processing'\"+s.dialect.lock"}},
		Lives: Lives{Placed: "^TestEachCommand$/^sync,_worker_paused,_sql$", Times: 12},
	},
	{
		Name: "a claim gives no new fence", Rule: "A claim makes the fence grow", Violates: []string{"I4"},
		Edits: []Edit{{"store/take.go", "SET status = 'processing', fence = fence + 1,", "SET status = 'processing', fence = fence + CASE WHEN fence = 0 THEN 1 ELSE 0 END,"}},
		Lives: Lives{First: 1, Seeds: 10},
	},
	{
		Name: "a cancel does not take the fence", Rule: "A cancel makes the fence grow", Violates: []string{"I4"},
		Edits: []Edit{{"store/person.go", "SET status = 'cancelled', `+fenceGrows+`,", "SET status = 'cancelled', fence = CASE fence WHEN 0 THEN 1 ELSE fence END,"}},
		Lives: Lives{First: 1, Seeds: 20},
	},
	{
		Name: "a live lease is stolen", Rule: "A worker whose heart beats keeps its tasks", Violates: []string{"P6", "I3"},
		Edits: []Edit{{"store/watch.go", "\"(worker IS NOT NULL AND \" + over + \" AND NOT EXISTS (\"", "\"(\" + over + \" OR NOT EXISTS (\""}},
		Lives: Lives{First: 1, Seeds: 20},
	},
	{
		Name: "a lease by the worker's clock", Rule: "Leases go by the database's clock", Violates: []string{"P6", "I3"},
		Edits: []Edit{
			{"store/worker.go", "`+s.dialect.unflushed+`, `+s.dialect.later+`)", "`+s.dialect.unflushed+`, ?)"},
			{"store/worker.go", "w.Providers, lease.Milliseconds())", "w.Providers, time.Now().UTC().Add(lease))"},
		},
		Lives: Lives{First: 1, Seeds: 10},
	},
	{
		Name: "a lease never ends", Rule: "The tasks of a dead worker go to another", Violates: []string{"I1"},
		Edits: []Edit{{"store/watch.go", "\"(worker IS NOT NULL AND \" + over + \" AND", "\"(\" + strings.Replace(over, \"< now()\", \"IS NULL\", 1) + \" AND"}},
		Lives: Lives{Placed: "^TestEachStep$/^worker_killed,_sync$", Times: 1},
	},
	{
		Name: "workers are called dead after an outage of the database", Rule: "After an outage nobody is called dead for one lease", Violates: []string{"P6", "I3"},
		Edits: []Edit{
			{"store/watch.go", "before.beat == now.beat && gap <= now.lease/3", "before.beat == now.beat && gap > 0"},
			{"store/watch.go", "	w.seen, w.ended = nil, time.Time{}\n", ""},
		},
		Lives: Lives{Placed: "^TestEachStep$/^database_away,_sync$", Times: 4},
	},
	{
		Name: "the heartbeat on the shared pool", Rule: "The heartbeat stands in no line",
		Edits: []Edit{{"worker/heartbeat.go", "heart.Heartbeat(beating, self, w.lease())", "w.Leases.(*store.Store).Heartbeat(beating, self, w.lease())"}},
		Lives: Lives{Test: Test{"worker", "^TestZombies$/^A_call_whose_journal_waited_in_line"}},
	},
	{
		Name: "a lapse of the lease is forgotten with the next heartbeat", Rule: "What was held when a lease ran out may be another's",
		Edits: []Edit{{"worker/heartbeat.go", "time.Since(since) < lease && !p.lapsed.After(t)", "time.Since(since) < lease"}},
		Lives: Lives{Test: Test{"worker", "^TestPulse$"}},
	},
	{
		Name: "the dead are told by the database's clock", Rule: "No clock that jumps makes a living worker dead",
		Edits: []Edit{{"store/watch.go", "beats + \" AND NOT \" + silent + \"))\",", "beats + \" AND (\" + silent + \" OR w.lease_until >= now())))\","}},
		Lives: Lives{Test: Test{"store", "^TestSQLite$/^Worker$/^A_worker_whose_lease_is_over_by_a_clock_that_jumped"}},
	},
	{
		Name: "no reconciler", Rule: "What rows and queue disagree about is mended", Violates: []string{"I1", "I7"},
		Edits: []Edit{{"enqueue/reconcile.go", "		case <-died:\n		}\n", "		case <-died:\n		}\n		if true {\n			continue\n		}\n"}},
		Lives: Lives{First: 10, Seeds: 16},
	},
	{
		Name: "acknowledged before it is saved", Rule: "A delivery is done when its row is", Violates: []string{"P6", "I3"},
		Edits: []Edit{{"worker/worker.go", "	return s.run(ctx, claiming)\n", "	if p, verdict := s.advance(ctx, claiming); p == done {\n		return verdict\n	}\n	go s.run(ctx, resuming)\n	return queue.Verdict{}\n"}},
		Lives: Lives{First: 1, Seeds: 20},
	},
	{
		Name: "a known wish is stored again", Rule: "An idempotency key stands for one task", Violates: []string{"I1"},
		Edits: []Edit{{"store/insert.go", "		if t.IdempotencyKey == \"\" {\n			fresh", "		if t.IdempotencyKey = \"\"; true {\n			fresh"}},
		Lives: Lives{First: 1, Seeds: 10},
	},
}
