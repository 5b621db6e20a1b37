package sabotage

// ofMoney are mutants that buy what they must not, or lose track of it.
var ofMoney = []Mutant{
	{
		Name: "journal after the call", Rule: "A call that may cost money is journalled before it is made", Violates: []string{"I3"},
		Edits: []Edit{
			{"worker/buy.go", "	begun, err := s.w.Journal.Begin(ctx, a)\n	if err != nil {\n		return s.notBegun(ctx, a.Key, err)\n	}\n", "	begun := a\n"},
			{"worker/buy.go", "	answer, err := s.submit(ctx, call, began)\n", "	answer, err := s.submit(ctx, call, began)\n	begun, failed := s.w.Journal.Begin(ctx, *s.last)\n	if failed != nil {\n		return s.endWith(s.notBegun(ctx, s.last.Key, failed))\n	}\n	s.last = &begun\n"},
		},
		Lives: Lives{First: 1, Seeds: 20},
	},
	{
		Name: "a new call after one that is still being made", Rule: "What may have been bought is asked after first", Violates: []string{"I3"},
		Edits: []Edit{{"worker/resume.go", "case task.AttemptSucceeded, task.AttemptRejected, task.AttemptFailed:", "case task.AttemptSucceeded, task.AttemptRejected, task.AttemptFailed, task.AttemptSending:"}},
		Lives: Lives{First: 1, Seeds: 20},
	},
	{
		Name: "a 5xx counts as a call that was not made", Rule: "A call is made again only if it certainly did not happen", Violates: []string{"I3"},
		Edits: []Edit{{"worker/buy.go", "	f := *task.AsFailure(err)\n", "	f := *task.AsFailure(err)\n	if f.Kind == task.ProviderError {\n		f.Executed = task.NotExecuted\n	}\n"}},
		Lives: Lives{First: 1, Seeds: 20},
	},
	{
		Name: "a failure that does not say is one of a call that was not made", Rule: "An adapter that forgets causes no second purchase",
		Edits: []Edit{{"worker/buy.go", "	f := *task.AsFailure(err)\n", "	f := *task.AsFailure(err)\n	f.Executed = cmp.Or(f.Executed, task.NotExecuted)\n"}},
		Lives: Lives{Test: Test{Package: "worker", Run: "^TestFallback$/^A_failure_that_does_not_say"}},
	},
	{
		Name: "a failed download buys again", Rule: "What was bought is never bought again", Violates: []string{"I3"},
		Edits: []Edit{{"worker/keep.go", "			return s.endWith(s.fetchedLater(c.waits, pause))", "			s.last = nil\n			return buying, none"}},
		Lives: Lives{First: 1, Seeds: 20},
	},
	{
		Name: "a 404 of an address ends its collecting", Rule: "What was paid for is collected for as long as its address lives",
		Edits: []Edit{{"worker/keep.go", "	if c.waits != nil {", "	if c.waits != nil && c.waits.Kind != task.Expired {"}},
		Lives: Lives{Test: Test{"worker", "^TestCollecting$"}},
	},
	{
		Name: "the policy for unknown outcomes applies to an answer", Rule: "What was carried out is not bought again, whatever the policy says",
		Edits: []Edit{{"worker/keep.go", "		return s.givenUp(c.refused)", "		unknown := *c.refused\n		unknown.Executed = task.Unknown\n		s.last.State = task.AttemptFailed\n		return taskFailed{&unknown, true}"}},
		Lives: Lives{Test: Test{"worker", "^TestCollecting$"}},
	},
	{
		Name: "a retry by hand buys what could not be collected", Rule: "A retry by hand collects first, and only a person's word buys again",
		Edits: []Edit{{"worker/keep.go", "	s.last.State = task.AttemptAnswered\n	s.blame(f)", "	s.last.State = task.AttemptFailed\n	s.blame(f)"}},
		Lives: Lives{Test: Test{"worker", "^TestCollecting$"}},
	},
	{
		Name: "a call that was paid for is overlooked behind a later one", Rule: "What was paid for is collected before anything is bought",
		Edits: []Edit{{"worker/buy.go", "	case paid != nil:\n		s.last = paid", "	case paid != nil && paid.State == task.AttemptSending:\n		s.last = paid"}},
		Lives: Lives{Test: Test{"worker", "^TestCollectingOfCalls$"}},
	},
	{
		Name: "a task is completed although one of its calls is still to be collected", Rule: "What was paid for is collected, never thrown away",
		Edits: []Edit{{"worker/batches.go", "	return h.Uncollected(), nil", "	_ = h.Uncollected()\n	return nil, nil"}},
		Lives: Lives{Test: Test{"worker", "^TestCollectingOfCalls$"}},
	},
	{
		Name: "a job that is forgotten is bought again", Rule: "What the provider has taken is not unknown any more",
		Edits: []Edit{{"worker/poll.go", "	case s.last.State != task.AttemptAccepted:\n", "	case s.last.State != task.AttemptAccepted, s.svc.Retry.OnUnknown == task.Resend:\n		s.last.State = task.AttemptFailed\n"}},
		Lives: Lives{Test: Test{"worker", "^TestCollectingOfCalls$"}},
	},
	{
		Name: "a cancel that is answered well is believed", Rule: "A cancelled job is polled until the provider says how it has ended",
		Edits: []Edit{{"worker/poll.go", "		s.stopping = queued\n", "		_ = queued\n		return s.endWith(endedLate{failure: &task.Failure{Kind: task.Stopped, Executed: task.Executed}, state: task.AttemptFailed})\n"}},
		Lives: Lives{Test: Test{Package: "worker", Run: "^TestCancel$/^A_provider_that_promises"}},
	},
	{
		Name: "a lost call that is found again waits for a person", Rule: "A picture that was paid for is never thrown away",
		Edits: []Edit{{"store/collect.go", "isOver = \"(g.status IN ('completed', 'failed', 'cancelled')", "isOver = \"(g.status IN ('cancelled')"}},
		Lives: Lives{Test: Test{Package: "worker", Run: "^TestFoundAgain$/^A_lost_call_that_is_found_while_no_worker_runs"}},
	},
	{
		Name: "a person's word counts for more than the job", Rule: "A picture that was paid for is never thrown away",
		Edits: []Edit{{"store/record.go", " OR \" + yieldsToProof + \")\"", ")\""}},
		Lives: Lives{Test: Test{Package: "store", Run: "^TestSQLite$/^Collect$"}},
	},
	{
		Name: "a retry that collects buys what was given up", Rule: "What was given up as charged is bought again by a word alone",
		Edits: []Edit{{"worker/buy.go", "	if e := s.overGivenUp(h); e != nil {\n", "	if e := s.overGivenUp(h); e != nil && false {\n"}},
		Lives: Lives{Test: Test{Package: "worker", Run: "^TestGivenUp$/^A_retry_of_a_task_of_several_calls"}},
	},
	{
		Name: "a failed poll fails the call", Rule: "An error of a poll is no error of the call", Violates: []string{"I3", "P6"},
		Edits: []Edit{{"worker/poll.go", "	default:\n		j.failures++", "	case err != nil:\n		return callFailed{f}\n	default:\n		j.failures++"}},
		Lives: Lives{First: 1, Seeds: 20},
	},
	{
		Name: "the handle is not journalled", Rule: "An accepted job goes on from its handle, at any worker", Violates: []string{"P6", "I3"},
		Edits: []Edit{{"worker/record.go", "	a.State, a.Handle = task.AttemptAccepted, handle\n	if err := s.recordPaid(ctx, store.Accepted{Held: s.t.Token(), Attempt: *a, JobID: ans.JobID}); err != nil {\n		return unwritten{err}\n	}\n", "	a.State, a.Handle = task.AttemptAccepted, handle\n"}},
		Lives: Lives{Placed: "^TestEachStep$/^worker_drained,_async$", Times: 2},
	},
	{
		Name: "a result is written only once", Rule: "What has been paid for is held until the database takes it", Violates: []string{"P6", "I3"},
		Edits: []Edit{{"worker/persist.go", "		if err == nil || errors.Is(err, store.ErrFenced)", "		if true || errors.Is(err, store.ErrFenced)"}},
		Lives: Lives{Placed: "^TestEachStep$/^(statement_fails|database_away),_(sync|async)$", Times: 2},
	},
	{
		Name: "a lost call is given up while it may still come", Rule: "That the provider does not have a call proves nothing before its time is over",
		Edits: []Edit{{"worker/lookup.go", "	return s.callTime() + s.w.lease() - s.w.looks.lost(s.last.ID, s.last.Key)", "	return 0"}},
		Lives: Lives{Test: Test{"worker", "^TestLostCalls$/^A_(worker_that_starts_has_not_seen|lost_call_that_a_clock_which_jumped_makes_look_old)"}},
	},
	{
		Name: "a lost call whose pictures are stored is of unknown outcome", Rule: "What lies in storage under the name of a call proves that it was answered",
		Edits: []Edit{{"worker/lookup.go", "	case stored.whole():\n", "	case false:\n"}},
		Lives: Lives{Test: Test{Package: "worker", Run: "^TestStoredAnswers$/^The_picture_of_a_lost_call"}},
	},
	{
		Name: "a file from before a call is taken for its picture", Rule: "What lies in storage under the name of a call proves that it was answered",
		Edits: []Edit{{"worker/stored.go", "		if o.Modified.Before(s.last.SentAt.Add(-ahead)) {\n", "		if false {\n"}},
		Lives: Lives{Test: Test{Package: "worker", Run: "^TestStoredAnswers$/^A_file_from_before"}},
	},
	{
		Name: "a part of an answer is taken for all of it", Rule: "What has been paid for is held until the database takes it",
		Edits: []Edit{{"worker/lookup.go", "	case stored.whole():\n", "	case stored.any():\n"}},
		Lives: Lives{Test: Test{Package: "worker", Run: "^TestStoredAnswers$/^Of_one_that_lies_there_in_part"}},
	},
	{
		Name: "a call that was not charged is sent again beside its stored picture", Rule: "What lies in storage under the name of a call proves that it was answered",
		Edits: []Edit{{"worker/resume.go", "		return s.buyUnlessStored(ctx, h)\n", "		return buying, none\n"}},
		Lives: Lives{Test: Test{Package: "worker", Run: "^TestStoredAnswers$/^A_picture_that_was_stored_after_nobody_knew"}},
	},
	{
		Name: "what joins a part that was taken is forgotten", Rule: "What was paid for is never thrown away",
		Edits: []Edit{{"store/save.go", "		return s.saveMissed(ctx, tx, a, results)\n", "		return nil\n"}},
		Lives: Lives{Test: Test{Package: "worker", Run: "^TestStoredAnswers$/^What_a_worker_that_stood_still"}},
	},
	{
		Name: "a spool lets go what the journal lacks", Rule: "What has been paid for is held until the database takes it",
		Edits: []Edit{{"worker/adopt.go", "	if err == nil && lacks {\n", "	if err == nil && lacks && false {\n"}},
		Lives: Lives{Test: Test{Package: "worker", Run: "^TestStoredAnswers$/^What_a_spool_holds"}},
	},
	{
		Name: "what has come while a call was looked up is not seen", Rule: "The journal is read before every purchase",
		Edits: []Edit{{"worker/lookup.go", "	s.history = nil\n", ""}},
		Lives: Lives{Test: Test{Package: "worker", Run: "^TestLostCalls$/^What_an_earlier_call_brings"}},
	},
	{
		Name: "a paid call ends when asynq gives its delivery up", Rule: "A call that is being paid for does not die of a Redis that is away", Violates: []string{"P6", "I3"},
		Edits: []Edit{{"queue/server.go", "	return r.tell(d, r.handle(d))", "	dying := *r\n	dying.ctx = outer\n	return r.tell(d, dying.handle(d))"}},
		Lives: Lives{Placed: "^TestEachStep$/^redis_(away|hangs),_sync$", Times: 4},
	},
	{
		Name: "the cost of earlier calls is forgotten", Rule: "A task costs what all of its calls cost", Violates: []string{"I11"},
		Edits: []Edit{{"store/cost.go", "coalesce(sum(a.cost_micros), image", "coalesce(max(a.cost_micros), image"}},
		Lives: Lives{First: 1, Seeds: 10},
	},
	{
		Name: "an answer is lost for one field of another type", Rule: "Of an answer only what names the picture is needed",
		Edits: []Edit{{"provider/reply.go", "	if kindOf(document) != '{' {", "	if true {"}},
		Lives: Lives{Test: Test{"provider", "^TestWhatCannotBeReadIsNotedAndNotFatal$"}},
	},
	{
		Name: "a null in the place of a picture is one that is missing", Rule: "Null entries are left out, and the others kept",
		Edits: []Edit{{"provider/images.go", "		if text := plainText(raw); strings.TrimSpace(text) != \"\" {", "		if text := plainText(raw); strings.TrimSpace(text) != \"\" || kindOf(raw) == 'n' {"}, {"provider/images.go", "	case '\"':\n", "	case '\"', 'n':\n"}},
		Lives: Lives{Test: Test{"provider/openai", "^TestConformance$/^An_answer_that_is_not_as_documented"}},
	},
	{
		Name: "the job of a gateway is not taken", Rule: "An answer that names a job in place of a picture was paid for, and is polled",
		Edits: []Edit{{"provider/openai/answer.go", "	if jobs := said.given; len(jobs) > 0 && (!drawn || goesOn(jobs)) {", "	if jobs := said.given; false {"}},
		Lives: Lives{Test: Test{"provider/openai", "^TestAnAnswerThatNamesAJobIsPolledUnasked$"}},
	},
	{
		Name: "a gateway's job that is not known never ran", Rule: "That a job is not known any more does not prove that it was not drawn",
		Edits: []Edit{{"provider/openai/job.go", "		return provider.Answer{}, r.Gone(\"the provider does not know the job any more\")",
			"		gone := r.Gone(\"the provider does not know the job any more\")\n		gone.Executed = task.NotExecuted\n		return provider.Answer{}, gone"}},
		Lives: Lives{Test: Test{"provider/openai", "^TestPollsOfAJob$/^A_job_that_is_not_known"}},
	},
	{
		Name: "a retry does not mind what became of the task since it was looked at", Rule: "A person's word is about what he saw",
		Edits: []Edit{{"store/person.go", "WHERE id = ? AND `+asSeen+` AND status IN", "WHERE id = ? AND (`+asSeen+` OR true) AND status IN"}},
		Lives: Lives{Test: Test{"store", "^TestSQLite$/^Person$"}},
	},
	{
		Name: "giving up leaves older words as good as they were", Rule: "A person's word is about what he saw",
		Edits: []Edit{{"store/charged.go", "error_about = NULL, `+wordGrows+`, updated_at", "error_about = NULL, updated_at"}},
		Lives: Lives{Test: Test{"store", "^TestSQLite$/^Person$"}},
	},
	{
		Name: "not charged speaks of accepted calls too", Rule: "A person's word that a call was not charged is about calls of unknown outcome",
		Edits: []Edit{{"store/person.go", "WHERE task_id = ? AND (state = 'unknown' OR", "WHERE task_id = ? AND (state IN ('unknown', 'accepted') OR"}},
		Lives: Lives{Test: Test{Package: "worker", Run: "^TestUndecided$"}},
	},
	{
		Name: "server errors have no end", Rule: "What the service failed by its own fault is called again server_errors times and no more",
		Edits: []Edit{{"task/retry.go", "if r.HoldServerErrors || t.ServerErrors >= r.ServerErrors {", "if r.HoldServerErrors || t.ServerErrors > r.ServerErrors {"}},
		Lives: Lives{Test: Test{Package: "worker", Run: "^TestServerErrors$"}},
	},
}
