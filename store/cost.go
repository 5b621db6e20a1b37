package store

// What a task costs is what all of its calls have cost. Sums of two currencies mean
// nothing: then the calls alone say it.
const (
	costs = "(cost_micros, currency) = (SELECT " + sumsOfCalls + ofCalls + ")"

	sumsOfCalls = `CASE WHEN count(DISTINCT a.currency) > 1 THEN NULL ELSE coalesce(sum(a.cost_micros), image_generations.cost_micros) END,
		coalesce(max(a.currency), image_generations.currency)`
	ofCalls = " FROM generation_attempt a WHERE a.task_id = image_generations.id"

	// costsNoted is costs for a task that has ended: it has changed only if they have.
	costsNoted = "(cost_micros, currency, updated_at) = (SELECT " + sumsOfCalls + `,
		CASE WHEN image_generations.cost_micros IS NOT DISTINCT FROM sum(a.cost_micros) THEN image_generations.updated_at ELSE now() END` + ofCalls + ")"
)
