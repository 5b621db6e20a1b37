package check

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// Bounds of what is read. They are far above what a run of an hour leaves.
const (
	maxLine = 4 << 20 // bytes of one line of a .jsonl file
	maxFile = 4 << 30 // bytes of one file
)

// Read reads the evidence in a folder. faults.jsonl, history.jsonl and sinks
// may be absent: what they prove is then not judged. Every other file must be
// there, and everything in all of them understood: a misspelt event would be
// evidence that nobody looks at.
func Read(folder fs.FS) (Evidence, error) {
	var e Evidence
	whole := func(name string, into any) error { return readJSON(folder, name, into) }
	err := errors.Join(
		whole("run.json", &e.Run),
		whole("tables.json", &e.Tables),
		whole("redis.json", &e.Redis),
		whole("pictures.json", &e.Pictures),
		readLines(folder, "ledger.jsonl", true, &e.Ledger, (*Entry).validate),
		readLines(folder, "clients.jsonl", true, &e.Clients, (*Told).validate),
		readLines(folder, "faults.jsonl", false, &e.Faults, (*Fault).validate),
		readLines(folder, "history.jsonl", false, &e.History, (*Op).validate),
	)
	if err != nil {
		return Evidence{}, err
	}
	if err := errors.Join(e.Run.validate(), e.Tables.validate(), validateRedis(e.Redis)); err != nil {
		return Evidence{}, err
	}
	e.Searched, e.Hits, err = search(folder, e.Run.Canaries)
	return e, err
}

func readJSON(folder fs.FS, name string, into any) error {
	f, err := folder.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	d := json.NewDecoder(io.LimitReader(f, maxFile))
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%s: there is more after its JSON value", name)
	}
	return nil
}

// readLines reads one JSON object per line; empty lines do not count.
func readLines[T any](folder fs.FS, name string, needed bool, into *[]T, validate func(*T) error) error {
	f, err := folder.Open(name)
	if errors.Is(err, fs.ErrNotExist) && !needed {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxFile))
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var one T
		err := json.Unmarshal(lines.Bytes(), &one)
		if err == nil {
			err = validate(&one)
		}
		if err != nil {
			return fmt.Errorf("%s line %d: %w", name, n, err)
		}
		*into = append(*into, one)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s after line %d: %w", name, n, err)
	}
	return nil
}

// oneOf is an error unless value is one of accepted.
func oneOf(field, value string, accepted ...string) error {
	if slices.Contains(accepted, value) {
		return nil
	}
	return fmt.Errorf("%s is %.60q; accepted are %s", field, value, strings.Join(accepted, ", "))
}

// dated is an error if a time is missing without which nothing can be compared.
func dated(field string, w When) error {
	if w.IsZero() {
		return fmt.Errorf("%s is empty; a time is needed", field)
	}
	return nil
}

func (e *Entry) validate() error {
	return errors.Join(dated("at", e.At), tagged(e.Tag), oneOf("class", e.Class, "idempotent", "lookup", "async", "sync"),
		oneOf("event", e.Event, "submit", "duplicate", "poll", "cancel", "recover", "refused", "overlimit", "callback"))
}

func (t *Told) validate() error {
	err := errors.Join(dated("at", t.At), tagged(t.Tag),
		oneOf("event", t.Event, "acked", "lost", "retry", "retry_lost", "cancel", "seen"))
	switch {
	case err != nil:
		return err
	case t.Event == "lost" && t.Tag == "":
		return errors.New("a lost insert has no tag; without it nothing can be found")
	case t.Event != "lost" && t.Task == 0:
		return fmt.Errorf("%s has no task", t.Event)
	case t.Event == "seen":
		return oneOf("detail of seen", t.Detail, statuses...)
	case t.Event == "retry" || t.Event == "retry_lost":
		return oneOf("detail of "+t.Event, t.Detail, "", notCharged, buyAgain)
	}
	return nil
}

func tagged(tag string) error {
	if strings.ContainsFunc(tag, notInTag) {
		return fmt.Errorf("tag is %.60q; accepted are letters, digits, - and _", tag)
	}
	return nil
}

func (f *Fault) validate() error {
	if f.Kind == "" {
		return errors.New("kind is empty; name what was done")
	}
	if !f.Until.IsZero() && f.Until.Before(f.At.Time) {
		return errors.New("until is before at")
	}
	return dated("at", f.At)
}

func (o *Op) validate() error {
	err := oneOf("op", o.Op, "claim", "begin", "release", "save", "fail", "reclaim", "archive", "cancel", "retry", "came_late")
	if o.Status != "" {
		err = errors.Join(err, oneOf("status", o.Status, statuses...))
	}
	switch {
	case err != nil:
		return err
	case o.Task == 0:
		return fmt.Errorf("%s has no task", o.Op)
	case !o.Unknown && o.Return < o.Call:
		return fmt.Errorf("return %d is before call %d", o.Return, o.Call)
	case o.OK && !o.Unknown && o.Fence == 0:
		return fmt.Errorf("%s worked and has no fence", o.Op)
	}
	return nil
}

func (r *Run) validate() error {
	errs := []error{dated("settled", r.Settled)}
	for provider, policy := range r.Policy {
		errs = append(errs, oneOf("policy of "+provider, policy, "hold", "retry"))
	}
	for provider, class := range r.Class {
		errs = append(errs, oneOf("class of "+provider, class, "idempotent", "lookup", "async", "sync"))
	}
	for i, c := range r.Canaries {
		if len(c) < minCanary {
			errs = append(errs, fmt.Errorf("canary %d has %d bytes; at least %d are needed to be found by no chance", i, len(c), minCanary))
		}
	}
	if r.ClocksApart < 0 || r.ClocksApart > maxClocksApart {
		errs = append(errs, fmt.Errorf("clocks_apart_ms is %d; accepted are 0 to %d", r.ClocksApart, maxClocksApart))
	}
	return within("run.json", errors.Join(errs...))
}

func (t *Tables) validate() error {
	var errs []error
	rows, attempts := make(map[int64]bool, len(t.Tasks)), make(map[int64]bool, len(t.Attempts))
	for i := range t.Tasks {
		r := &t.Tasks[i]
		if err := oneOf("status", r.Status, statuses...); err != nil {
			errs = append(errs, fmt.Errorf("image_generations %d: %w", r.ID, err))
		}
		if rows[r.ID] {
			errs = append(errs, fmt.Errorf("image_generations has the id %d twice", r.ID))
		}
		rows[r.ID] = true
	}
	for i := range t.Attempts {
		a := &t.Attempts[i]
		if err := oneOf("state", a.State, sending, rejected, accepted, answered, succeeded, failed, unknown); err != nil {
			errs = append(errs, fmt.Errorf("generation_attempt %d: %w", a.ID, err))
		}
		if attempts[a.ID] {
			errs = append(errs, fmt.Errorf("generation_attempt has the id %d twice", a.ID))
		}
		attempts[a.ID] = true
	}
	return within("tables.json", errors.Join(errs...))
}

func validateRedis(all []Delivery) error {
	var errs []error
	for i := range all {
		errs = append(errs, oneOf("state of "+all[i].ID, all[i].State, "pending", "active", "scheduled", "retry", "archived", "completed"))
	}
	return within("redis.json", errors.Join(errs...))
}

func within(file string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", file, err)
}
