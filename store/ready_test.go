package store_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

func TestACommandReadsSQLiteWhileSomebodyWrites(t *testing.T) {
	t.Parallel()
	address := "sqlite:" + filepath.Join(t.TempDir(), "easel.db")
	s, app := migrated(t, address), open(t, address)
	tx, err := app.DB().Begin()
	must(t, err)
	defer tx.Rollback()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	must(t, s.ReadyNow(ctx))
}
