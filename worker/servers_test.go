package worker_test

import "testing"

// TestOnServers proves on Postgres and Redis what money depends on.
func TestOnServers(t *testing.T) {
	onServers(t, []claim{
		{"A committed row becomes a stored picture", storedPicture},
		{"Several pictures that lie at the provider are fetched in order", fetchedPictures},
		{"A job is polled, its progress shown, and completed", polledJob},
		{"A hundred tasks at once are called once each", hundred},
		{"Twenty repetitions of one order are one call", repeated},
		{"Rows of nonsense end failed with their reason and are never called", nonsense},
		{"What is unavailable is tried with back-off, then failed, and comes back by hand", unavailable},
		{"A call of unknown outcome is held, and only a person's word buys it again", held},
		{"An accepted job whose worker died is resumed by its handle", resumed},
		{"A lost call that never happened is made once", neverHappened},
		{"A lost call that nobody can tell about is held as unknown", lookedUpInVain},
		{"A handle that came while others looked for its call is not forgotten", cameMeanwhile},
		{"A zombie's true answer is kept, and a later retry completes from it", zombie},
		{"A claim that was taken over before its call makes none", takenBeforeCall},
		{"A cancel during a call keeps the late picture, and a retry takes it", keepsLateCall},
		{"A process that stops while a cancelled job is drawn leaves it to the next one", cancelledAndDrained},
		{"A lost call that is found while no worker runs is collected by the next one, and completes its task", foundCollected},
		{"A drain hands polled jobs back at once, and another worker ends them", drainsPolls},
		{"A database that fails while an answer comes does not lose it", databaseFails},
		{"Redis that forgets everything loses no task and buys none twice", redisForgets},
		{"Run on an archived delivery retries by hand", runArchived},
		{"Deliveries of rows that an app has locked take nothing of the rate", lockedTakesNothing},
		{"A lost claim is given back although the row of an earlier one is locked", lostBehindALock},
	})
}
