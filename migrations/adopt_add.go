package migrations

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// indexes are those of easel's own tables, on the app's. A name that stands for
// something else gets an ending, and one that an interruption left invalid is made anew.
// The app may have several parameters of one name, which no statement of ours forbids.
func (p *planner) indexes(ctx context.Context) error {
	const query = `SELECT i.indexname || chr(10) || i.tablename || chr(10) || x.indisvalid || chr(10) || i.indexdef FROM pg_indexes i
		JOIN pg_index x ON x.indexrelid = (quote_ident(i.schemaname) || '.' || quote_ident(i.indexname))::regclass
		WHERE i.schemaname = $1 AND NOT x.indisprimary ORDER BY i.indexname`
	theirs, err := p.list(ctx, query, p.Schema)
	if err != nil {
		return err
	}
	there := make(map[string][]string)
	for _, entry := range theirs {
		part := strings.SplitN(entry, "\n", 4)
		there[part[0]] = part
	}
	wanted, err := p.list(ctx, query, p.pattern)
	if err != nil {
		return err
	}
	for _, entry := range wanted {
		part := strings.SplitN(entry, "\n", 4)
		name, table, definition := part[0], part[1], part[3]
		if !slices.Contains(p.theirs, table) {
			continue
		}
		moved := strings.Replace(definition, " ON "+p.pattern+".", " ON "+quote(p.Schema)+".", 1)
		if table == "generation_parameter" {
			moved = strings.Replace(moved, "CREATE UNIQUE INDEX", "CREATE INDEX", 1)
		}
		as := name
		if known, taken := there[name]; taken {
			same := strings.Replace(known[3], " ON "+p.Schema+".", " ON "+quote(p.Schema)+".", 1) == moved
			switch {
			case same && known[2] == "true":
				continue
			case same:
				p.Indexes = append(p.Indexes, "DROP INDEX CONCURRENTLY "+p.at(name))
			default:
				as = name + "_easel"
				if former, made := there[as]; made && former[2] != "true" {
					p.Indexes = append(p.Indexes, "DROP INDEX CONCURRENTLY "+p.at(as))
				}
			}
		}
		p.Indexes = append(p.Indexes, strings.Replace(moved, " INDEX "+name+" ON ", " INDEX CONCURRENTLY IF NOT EXISTS "+quote(as)+" ON ", 1))
	}
	return nil
}

// rest moves easel's own tables beside the app's, and gives those the trigger and the
// view. It comes last, with the table that says which changes have been made.
func (p *planner) rest(ctx context.Context) error {
	tables, err := p.list(ctx, `SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> ALL(string_to_array($2, ','))
		AND NOT (tablename IN ('photo', 'tag', 'photo_tag', 'easel_migrations') AND to_regclass(quote_ident($3) || '.' || quote_ident(tablename)) IS NOT NULL)
		ORDER BY 1`, p.pattern, strings.Join(p.theirs, ","), p.Schema)
	if err != nil {
		return err
	}
	taken, err := p.list(ctx, "SELECT 'yes' WHERE to_regclass($1 || '.easel_migrations') IS NOT NULL", quote(p.Schema))
	if err != nil {
		return err
	}
	if len(taken) > 0 { // made by a look at the status
		p.Rest = append(p.Rest, "DROP TABLE "+p.at("easel_migrations"))
		tables = append(tables, "easel_migrations")
	}
	for _, table := range tables {
		p.Rest = append(p.Rest, "ALTER TABLE "+quote(p.pattern)+"."+quote(table)+" SET SCHEMA "+quote(p.Schema))
	}
	keys, err := p.list(ctx, `SELECT format('ALTER TABLE %I.%I DROP CONSTRAINT %I, ADD CONSTRAINT %I ', $3::text, c.relname, k.conname, k.conname) || pg_get_constraintdef(k.oid)
		FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class r ON r.oid = k.confrelid
		WHERE n.nspname = $1 AND k.contype = 'f' AND r.relname = ANY(string_to_array($2, ',')) AND c.relname <> ALL(string_to_array($2, ',')) ORDER BY 1`,
		p.pattern, strings.Join(p.theirs, ","), p.Schema)
	if err != nil {
		return err
	}
	for _, key := range keys {
		p.Rest = append(p.Rest, strings.ReplaceAll(key, " REFERENCES "+p.pattern+".", " REFERENCES "+quote(p.Schema)+"."))
	}
	p.Rest = append(p.Rest, "ALTER FUNCTION "+quote(p.pattern)+".easel_notify() SET SCHEMA "+quote(p.Schema),
		"CREATE TRIGGER easel_notify AFTER INSERT ON "+p.at("image_generations")+" FOR EACH STATEMENT EXECUTE FUNCTION "+quote(p.Schema)+".easel_notify()")
	p.Rest = append(p.Rest, "CREATE TABLE "+p.at("easel_adopted")+" (table_name) AS VALUES ('"+strings.Join(p.theirs, "'), ('")+"')") // see refuseAdopted
	return p.view(ctx)
}

// view is the one under the names of the documents, with its defaults.
func (p *planner) view(ctx context.Context) error {
	definitions, err := p.list(ctx, "SELECT pg_get_viewdef(to_regclass($1 || '.image_generation_task'))", quote(p.pattern))
	if err != nil {
		return err
	}
	for _, d := range definitions {
		p.Rest = append(p.Rest, "CREATE VIEW "+p.at("image_generation_task")+" AS "+strings.TrimSuffix(strings.ReplaceAll(d, " "+p.pattern+".", " "+quote(p.Schema)+"."), ";"))
	}
	defaults, err := p.list(ctx, `SELECT format('ALTER COLUMN %I SET DEFAULT ', a.attname) || pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
		JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = to_regclass($1 || '.image_generation_task') ORDER BY a.attnum`, quote(p.pattern))
	if err != nil {
		return err
	}
	for _, d := range defaults {
		p.Rest = append(p.Rest, fmt.Sprintf("ALTER VIEW %s %s", p.at("image_generation_task"), d))
	}
	return nil
}
