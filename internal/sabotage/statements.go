package sabotage

// ofStatements are mutants whose statements get into each other's way, or into an
// app's. Tests of the store on a real server catch them.
var ofStatements = []Mutant{
	{
		Name: "the relay publishes inside its transaction", Rule: "A relay holds nothing while it publishes",
		Edits: []Edit{{"store/publish.go", `	due, err := s.selectUnpublished(ctx, l)
	if err != nil || len(due) == 0 {
		return PublishResult{}, err
	}
	published, failure := publish(due)
	noted, err := s.markPublished(ctx, s.db, published)
	return PublishResult{Found: due, Noted: int(noted)}, errors.Join(failure, err)
`, `	var did PublishResult
	var failure error
	err := s.in(ctx, func(tx *sqlx.Tx) error {
		due, err := s.selectUnpublished(ctx, l)
		if err != nil || len(due) == 0 {
			return err
		}
		if _, err := tx.ExecContext(ctx, "SELECT id FROM image_generations WHERE published_at IS NULL FOR UPDATE"); err != nil {
			return err
		}
		published, failed := publish(due)
		noted, err := s.markPublished(ctx, tx, published)
		did, failure = PublishResult{Found: due, Noted: int(noted)}, failed
		return err
	})
	return did, errors.Join(failure, err)
`}},
		Lives: Lives{Test: Test{"store", "^TestPublishingHoldsNothing$/^A_delivery"}},
	},
	{
		Name: "a write stands in line for a locked row", Rule: "Who waits for an app's row holds no connection",
		Edits: []Edit{{"store/dialect.go", `" FOR NO KEY UPDATE NOWAIT"`, `" FOR NO KEY UPDATE"`}},
		Lives: Lives{Test: Test{"store", "^TestAnAppsLockDelaysItsOwnRowsOnly$"}},
	},
	{
		Name: "many rows wait for one that is locked", Rule: "An app's lock delays its own rows only",
		Edits: []Edit{{"store/dialect.go", "` FOR NO KEY UPDATE SKIP LOCKED) one))`", "`) one))`"}},
		Lives: Lives{Test: Test{"store", "^TestAnAppsLockDelaysItsOwnRowsOnly$"}},
	},
	{
		Name: "a claim stands in line for a locked row", Rule: "A claim comes back at once",
		Edits: []Edit{{"store/take.go", "holds + s.dialect.skipLocked + \")\"", "holds + \")\""}},
		Lives: Lives{Test: Test{"store", "^TestAnAppsLockDelaysItsOwnRowsOnly$"}},
	},
	{
		Name: "a claim believes what it saw before it had the row", Rule: "Whoever claims after a Begin sees that attempt",
		Edits: []Edit{{"store/take.go", "if !found.Alone || !utf8", "if !utf8"}},
		Lives: Lives{Test: Test{"store", "^TestAClaimSeesWhatWasBegunMeanwhile$"}},
	},
	{
		Name: "a broken constraint is not refused", Rule: "What the database never takes is not tried for ever",
		Edits: []Edit{{"store/dialect.go", `strings.HasPrefix(state, "22") || strings.HasPrefix(state, "23")`, `strings.HasPrefix(state, "22")`}},
		Lives: Lives{Test: Test{"store", "^TestRefusesWhatBreaksAConstraint$"}},
	},
	{
		Name: "a deadlock is not repeated", Rule: "Who was in another's way comes again",
		Edits: []Edit{{"store/dialect.go", `code(err, "40001", "40P01")`, `code(err, "40001")`}},
		Lives: Lives{Test: Test{"store", "^TestDeadlockIsRepeated$"}},
	},
	{
		Name: "a statement and its parameters in two parts", Rule: "Behind a pooler nobody reads another's rows",
		Edits: []Edit{{"store/open.go", "binary_parameters=yes\"\n	return with", "binary_parameters=no\"\n	return with"}},
		Lives: Lives{Test: Test{"store", "^TestListenGoesPastThePooler$"}},
	},
}
