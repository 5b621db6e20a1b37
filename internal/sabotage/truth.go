package sabotage

import "slices"

// Mutants are all of them.
var Mutants = slices.Concat(ofMoney, ofOwnership, ofTruth, ofStatements, ofBounds, ofFlushes)

// ofTruth are mutants whose rows do not say what is.
var ofTruth = []Mutant{
	{
		Name: "completed before its picture is stored", Rule: "Bytes first: a task is completed when its pictures are in storage", Violates: []string{"I2"},
		Edits: []Edit{{"worker/store.go", "		if err := s.w.Pictures.Put(ctx, key, r, checked.ContentType); err != nil {\n			return task.Result{}, err\n		}\n", "		text, _ := io.ReadAll(r)\n		go s.w.Pictures.Put(context.WithoutCancel(ctx), key, bytes.NewReader(text), checked.ContentType)\n"}},
		Lives: Lives{First: 1, Seeds: 20},
	},
	{
		Name: "a late answer does not complete the task that was held for it", Rule: "What is learnt late reaches the row",
		Edits: []Edit{{"store/finish.go", "	completed, err := s.completeFound(ctx, tx, &e.Attempt, e.Completion)\n", "	completed, err := false, error(nil)\n"}},
		Lives: Lives{Test: Test{"worker", "^TestZombies$"}},
	},
	{
		Name: "a late answer completes a task that a person cancelled", Rule: "Terminal is final, but for the task's own late answer",
		Edits: []Edit{{"store/late.go", "status = 'failed' AND deleted_at IS NULL AND (error_kind = ? OR", "status <> 'failed' AND deleted_at IS NULL AND ('' <> ? OR"}},
		Lives: Lives{Test: Test{"store", "^TestSQLite$/^Late$"}},
	},
	{
		Name: "tasks share the key of a picture", Rule: "A picture stays what was drawn for its task", Violates: []string{"I2"},
		Edits: []Edit{{"worker/store.go", "fmt.Sprintf(\"%d/%d-%d\", s.t.ID, s.last.ID, out.Position)", "fmt.Sprintf(\"%d/%d-%d\", s.t.ID%8, s.last.Number, out.Position)"}},
		Lives: Lives{First: 1, Seeds: 10},
	},
	{
		Name: "a crash spends an attempt", Rule: "Crashes and failures are counted apart", Violates: []string{"I6"},
		Edits: []Edit{{"store/worker.go", "crashes = crashes + 1,", "attempt = attempt + 1,"}},
		Lives: Lives{First: 1, Seeds: 20},
	},
	{
		Name: "a throttle spends an attempt", Rule: "Waits and failures are counted apart", Violates: []string{"I6"},
		Edits: []Edit{{"task/retry.go", "		v.Waits++\n", "		v.Waits++\n		v.FailedTries++\n"}},
		Lives: Lives{First: 1, Seeds: 20},
	},
	{
		Name: "one crash fails a task", Rule: "A task fails when its crashes are used up", Violates: []string{"I6"},
		Edits: []Edit{{"worker/resume.go", "s.t.Crashes >= most {", "s.t.Crashes >= min(most, 1) {"}},
		Lives: Lives{First: 1, Seeds: 20},
	},
	{
		Name: "an error shows the key", Rule: "No secret is in any text", Violates: []string{"I10"},
		Edits: []Edit{{"provider/client.go", "f := &task.Failure{Executed: task.Unknown, Detail: Scrub(err.Error(), r.Secrets...), Cause: err}", "f := &task.Failure{Executed: task.Unknown, Detail: err.Error(), Cause: err}"}},
		Lives: Lives{Placed: "^TestProviderFaults$/^sync-hold$", Times: 2},
	},
	{
		Name: "an error shows what the service echoes", Rule: "No secret is in any text", Violates: []string{"I10"},
		Edits: []Edit{{"provider/faults.go", "f.Detail = Scrub(text, r.secrets...)", "f.Detail = text"}},
		Lives: Lives{Placed: "^TestProviderFaults$/^sync-hold$", Times: 2},
	},
	{
		Name: "an error shows a signed address", Rule: "No secret is in any text", Violates: []string{"I10"},
		Edits: []Edit{{"provider/fetch.go", "f.Detail = Scrub(cause.Error())", "f.Detail = cause.Error()"}},
		Lives: Lives{Placed: "^TestProviderFaults$/^async-hold$", Times: 2},
	},
}
