// Package simulation proves the promises about lost tasks and money. Its tests
// run the whole of easel, worker, relay, reconciler, limiter, asynq, a Redis and
// a database, in fake time while workers are killed and frozen, Redis forgets,
// the database fails and the provider misbehaves. A provider that keeps a book
// of every paid call says afterwards what really happened. There is no code
// here besides the tests.
package simulation
