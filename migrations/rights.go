package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// withRights adds to an error of Postgres that a right is missing which one it is, and how
// it is given; every other error stays as it is.
func withRights(ctx context.Context, db *sql.DB, err error) error {
	var state interface{ SQLState() string }
	if !errors.As(err, &state) || state.SQLState() != "42501" {
		return err
	}
	var user, database, schema string
	var tables, schemas bool
	asked := db.QueryRowContext(ctx, `SELECT quote_ident(current_user), quote_ident(current_database()), coalesce(quote_ident(current_schema()), ''),
		coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), has_database_privilege(current_database(), 'CREATE')`).
		Scan(&user, &database, &schema, &tables, &schemas)
	switch {
	case asked != nil:
	case schema == "" && !schemas:
		return fmt.Errorf("the user %[1]s may not make a schema in the database %[2]s: %[3]w. As the owner of the database run: GRANT CREATE ON DATABASE %[2]s TO %[1]s; or make the schema and give it to the user",
			user, database, err)
	case schema != "" && !tables:
		return fmt.Errorf("the user %[1]s may not make tables in the schema %[4]s of the database %[2]s: %[3]w. As a superuser run: GRANT CREATE ON SCHEMA %[4]s TO %[1]s; or: ALTER DATABASE %[2]s OWNER TO %[1]s",
			user, database, err, schema)
	}
	return err
}
