package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"testing"
)

// keeping is a database with a table of three rows, and the one connection to it.
func keeping(t *testing.T) (*sql.Conn, *keepingConn) {
	t.Helper()
	db, err := openSQLite("file:" + filepath.Join(t.TempDir(), "kept.db"))
	must(t, err)
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(t.Context())
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = conn.ExecContext(t.Context(), "CREATE TABLE boats (n integer); INSERT INTO boats VALUES (1), (2), (3)")
	must(t, err)
	var kept *keepingConn
	must(t, conn.Raw(func(inner any) error { kept = inner.(*keepingConn); return nil }))
	return conn, kept
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func numbers(t *testing.T, conn *sql.Conn, query string, args ...any) (all []int) {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), query, args...)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var n int
		must(t, rows.Scan(&n))
		all = append(all, n)
	}
	must(t, rows.Err())
	return all
}

func TestAConnectionToSQLiteKeepsItsStatements(t *testing.T) {
	conn, kept := keeping(t)
	const query = "SELECT n FROM boats WHERE n > ? ORDER BY n"
	if got := fmt.Sprint(numbers(t, conn, query, 1), numbers(t, conn, query, 2)); got != "[2 3] [3]" {
		t.Errorf("got %s", got)
	}
	first := kept.kept[query]
	numbers(t, conn, query, 0)
	if first == nil || kept.kept[query] != first {
		t.Error("a statement that has run is compiled again")
	}
}

func TestAStatementWhoseRowsAreReadRunsBesideItself(t *testing.T) {
	conn, _ := keeping(t)
	const query = "SELECT n FROM boats ORDER BY n"
	rows, err := conn.QueryContext(t.Context(), query)
	must(t, err)
	defer rows.Close()
	all := ""
	for rows.Next() {
		var n int
		must(t, rows.Scan(&n))
		all += fmt.Sprint(n, numbers(t, conn, query))
	}
	if want := "1 [1 2 3]2 [1 2 3]3 [1 2 3]"; all != want {
		t.Errorf("got %s, want %s", all, want)
	}
}

func TestOfManyStatementsThoseThatRanLastAreKept(t *testing.T) {
	conn, kept := keeping(t)
	const often = "SELECT n FROM boats WHERE n = 2"
	for i := range 2 * keptStatements {
		numbers(t, conn, fmt.Sprintf("SELECT n FROM boats WHERE n = %d + 10", i))
		numbers(t, conn, often)
	}
	if kept.kept[often] == nil || len(kept.kept) != keptStatements {
		t.Errorf("%d statements are kept, and the one that always runs: %t", len(kept.kept), kept.kept[often] != nil)
	}
}

func TestAKeptStatementSeesANewSchema(t *testing.T) {
	conn, _ := keeping(t)
	const query = "SELECT n FROM boats ORDER BY n LIMIT 1"
	numbers(t, conn, query)
	_, err := conn.ExecContext(t.Context(), "ALTER TABLE boats RENAME TO ships; CREATE TABLE boats (n integer); INSERT INTO boats VALUES (7)")
	must(t, err)
	if got := numbers(t, conn, query); fmt.Sprint(got) != "[7]" {
		t.Errorf("got %v", got)
	}
}

func TestAKeptStatementThatFailedRunsAgain(t *testing.T) {
	conn, _ := keeping(t)
	_, err := conn.ExecContext(t.Context(), "CREATE UNIQUE INDEX one ON boats (n)")
	must(t, err)
	const insert = "INSERT INTO boats VALUES (?) RETURNING n"
	for range 2 {
		var n int
		if err := conn.QueryRowContext(t.Context(), insert, 3).Scan(&n); err == nil {
			t.Error("a row is there twice")
		}
	}
	if got := numbers(t, conn, insert, 4); fmt.Sprint(got) != "[4]" {
		t.Errorf("got %v", got)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := conn.ExecContext(cancelled, insert, 5); err == nil {
		t.Error("a statement ran whose context was over")
	}
	if got := numbers(t, conn, insert, 5); fmt.Sprint(got) != "[5]" {
		t.Errorf("got %v", got)
	}
}

func TestAScriptIsNotKept(t *testing.T) {
	conn, kept := keeping(t)
	script := "INSERT INTO boats VALUES (4) --" + fmt.Sprintf("%*d", keptLength, 0)
	_, err := conn.ExecContext(t.Context(), script)
	must(t, err)
	if kept.kept[script] != nil {
		t.Error("a long script is kept")
	}
	must(t, conn.Raw(func(inner any) error { return inner.(driver.Conn).Close() }))
	if len(kept.kept) != 0 {
		t.Error("statements are left on a connection that was closed")
	}
}
