package doctor

import (
	"context"
	"time"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/migrations"
	"github.com/easelqueue/easel/store"
)

// checkPooler says whether a connection pooler stands before the database, and
// what that takes.
func checkPooler(ctx context.Context, s *store.Store) []Finding {
	if s.Dialect() != migrations.Postgres {
		return nil
	}
	f := Finding{Check: "pooler", Result: Warn}
	pooler, err := s.Pooler(ctx)
	switch {
	case err != nil:
		f.Detail = "whether a connection pooler stands before the database is not known: " + err.Error()
		return []Finding{f}
	case pooler == store.NoPooler && !s.HasDirect():
		return nil
	case s.HasDirect():
		return []Finding{checkDirect(ctx, s, pooler)}
	}
	f.Detail = "a connection pooler gives the database's servers to transactions; statements go in one round trip (binary_parameters=yes)"
	f.Do = "Set EASEL_DATABASE_DIRECT_URL to the database's own address: until then inserts by SQL are looked for once a second, and easel migrate does not run"
	if pooler == store.SessionPooler {
		f.Result, f.Do = OK, ""
		f.Detail = "a connection pooler gives each connection a server of its own"
	}
	return []Finding{f}
}

// checkDirect looks whether the direct address answers, and with no pooler of its own.
func checkDirect(ctx context.Context, s *store.Store, pooler store.Pooler) Finding {
	f := Finding{Check: "pooler", Result: Fail, Do: "Correct EASEL_DATABASE_DIRECT_URL"}
	start := time.Now()
	behind, err := s.DirectPooler(ctx)
	switch {
	case err != nil:
		f.Detail = "EASEL_DATABASE_DIRECT_URL does not answer: " + err.Error()
	case behind == store.TransactionPooler:
		f.Detail = "EASEL_DATABASE_DIRECT_URL leads to a connection pooler too, which gives servers to transactions"
	case pooler == store.NoPooler:
		f = Finding{Check: "pooler", Result: OK, Detail: "none stands at EASEL_DATABASE_URL; EASEL_DATABASE_DIRECT_URL answers in " + human.English.Took(time.Since(start))}
	default:
		f = Finding{Check: "pooler", Result: OK, Detail: "one gives servers to each " + string(pooler) +
			"; statements go in one round trip, and listening and migrations past it: EASEL_DATABASE_DIRECT_URL answers in " + human.English.Took(time.Since(start))}
	}
	return f
}
