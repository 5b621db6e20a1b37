package migrations_test

import (
	"database/sql"
	"net/url"
	"strings"
	"testing"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/migrations"
)

// as is the address of the database for another user of it, and for the schema first, if one is named.
func as(t *testing.T, address, user, schema string) *sql.DB {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	q := u.Query()
	q.Set("role", user)
	if schema != "" {
		q.Set("search_path", schema)
	}
	u.RawQuery = q.Encode()
	db, err := sql.Open("postgres", u.String())
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func TestAUserWithoutRightsIsToldWhichAreMissing(t *testing.T) {
	address := servertest.Postgres(t)
	admin, err := sql.Open("postgres", address)
	must(t, err)
	t.Cleanup(func() { admin.Close() })
	var database string
	must(t, admin.QueryRow("SELECT current_database()").Scan(&database))
	user := "weak_" + database
	exec(t, admin, "CREATE ROLE "+user)
	t.Cleanup(func() {
		for _, line := range []string{"REASSIGN OWNED BY " + user + " TO CURRENT_USER", "DROP OWNED BY " + user, "DROP ROLE " + user} {
			if _, err := admin.Exec(line); err != nil {
				t.Error(err)
			}
		}
	})
	exec(t, admin, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")

	for claim, c := range map[string]struct{ schema, grant string }{
		"In the schema public": {"", "GRANT CREATE ON SCHEMA public TO " + user},
		"To make a schema":     {"easel", "GRANT CREATE ON DATABASE " + database + " TO " + user},
	} {
		t.Run(claim, func(t *testing.T) {
			weak := as(t, address, user, c.schema)
			_, err := migrations.Up(t.Context(), weak, migrations.Postgres)
			if err == nil || !strings.Contains(err.Error(), "permission denied") || !strings.Contains(err.Error(), c.grant) {
				t.Fatalf("it says %v", err)
			}
			exec(t, admin, c.grant) // what it says is enough
			_, err = migrations.Up(t.Context(), weak, migrations.Postgres)
			must(t, err)
		})
	}
}
