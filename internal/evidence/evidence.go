// Package evidence gathers what a run leaves behind, in the files that package
// check reads: rows, deliveries, pictures, and the books that others kept.
package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/check"
	"github.com/easelqueue/easel/queue"
)

// tables are those whose rows are judged.
var tables = []string{"image_generations", "generation_attempt", "generation_result", "generation_parameter", "easel_worker"}

// Books are what the run itself wrote down, beside what it left in the system.
type Books struct {
	Run    check.Run
	Told   []check.Told
	Faults []check.Fault
}

// Site is where a run has left its traces.
type Site struct {
	DB       *sql.DB
	Redis    redis.UniversalClient
	Pictures string // folder of the stored pictures

	// MayStand are secrets by the one column in which each may stand, such as the
	// signature of the address that a provider gave. They are hidden there.
	MayStand map[string][]string
}

// Gather writes the evidence into folder, which must exist. The provider's own
// book, ledger.jsonl, and the folder sinks are put there by whoever has them.
func (s Site) Gather(ctx context.Context, folder string, b Books) error {
	rows, err := Tables(ctx, s.DB)
	if err != nil {
		return err
	}
	s.hide(rows)
	deliveries, err := Deliveries(ctx, s.Redis)
	if err != nil {
		return err
	}
	pictures, err := Pictures(os.DirFS(s.Pictures))
	if err != nil {
		return err
	}
	files := map[string]any{"tables.json": rows, "redis.json": deliveries, "pictures.json": pictures, "run.json": b.Run}
	for name, value := range files {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return err
		}
	}
	for name, text := range map[string]func() ([]byte, error){
		"clients.jsonl": func() ([]byte, error) { return Lines(b.Told) },
		"faults.jsonl":  func() ([]byte, error) { return Lines(b.Faults) },
	} {
		lines, err := text()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), lines, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (s Site) hide(tables map[string][]map[string]any) {
	for _, rows := range tables {
		for _, row := range rows {
			for column, secrets := range s.MayStand {
				text, ok := row[column].(string)
				for _, secret := range secrets {
					text = strings.ReplaceAll(text, secret, "***")
				}
				if ok {
					row[column] = text
				}
			}
		}
	}
}

// Lines writes each of all as one line of JSON.
func Lines[T any](all []T) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, one := range all {
		if err := enc.Encode(one); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// Tables returns all rows of the judged tables, by the names of their columns.
func Tables(ctx context.Context, db *sql.DB) (map[string][]map[string]any, error) {
	all := make(map[string][]map[string]any)
	for _, name := range tables {
		rows, err := dump(ctx, db, name)
		if err != nil {
			return nil, fmt.Errorf("rows of %s: %w", name, err)
		}
		all[name] = rows
	}
	return all, nil
}

func dump(ctx context.Context, db *sql.DB, table string) ([]map[string]any, error) {
	found, err := db.QueryContext(ctx, "SELECT * FROM "+table+" ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer found.Close()
	names, err := found.Columns()
	if err != nil {
		return nil, err
	}
	all := []map[string]any{}
	for found.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := found.Scan(into...); err != nil {
			return nil, err
		}
		row := make(map[string]any, len(names))
		for i, name := range names {
			row[name] = values[i]
			if text, ok := values[i].([]byte); ok {
				row[name] = string(text)
			}
		}
		all = append(all, row)
	}
	return all, found.Err()
}

// Deliveries returns every entry of the queues, active ones included. One that
// ceases to be active meanwhile is there twice rather than not at all.
func Deliveries(ctx context.Context, client redis.UniversalClient) ([]check.Delivery, error) {
	all := []check.Delivery{}
	active, err := client.Keys(ctx, "asynq:{*}:active").Result()
	if err != nil {
		return nil, err
	}
	for _, key := range active {
		name := strings.TrimSuffix(strings.TrimPrefix(key, "asynq:{"), "}:active")
		ids, err := client.LRange(ctx, key, 0, -1).Result()
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			all = append(all, check.Delivery{Queue: name, ID: id, State: "active"})
		}
	}
	q := &queue.Queue{Redis: client}
	err = q.Walk(ctx, func(r queue.Delivery, s queue.State) error {
		all = append(all, check.Delivery{Queue: r.Queue(), ID: r.Ref.String(), State: string(s)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Pictures returns what is stored in a folder, by key. Names that begin with a
// dot are drafts and no pictures.
func Pictures(folder fs.FS) (map[string]check.Picture, error) {
	all := make(map[string]check.Picture)
	err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		all[name], err = sum(folder, name)
		return err
	})
	return all, err
}

func sum(folder fs.FS, name string) (check.Picture, error) {
	f, err := folder.Open(name)
	if err != nil {
		return check.Picture{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return check.Picture{SHA256: hex.EncodeToString(h.Sum(nil)), Size: n}, err
}
