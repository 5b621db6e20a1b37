// Package request reads what people and programs write of a task in JSON.
package request

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/task"
)

// Parse reads a JSON object whose names are those of task.RequestFields: what is asked
// for, not what becomes of it. It returns a copy of base with what the object says. Lists,
// objects and the words for priorities are accepted where a row keeps their text or
// number; whether a worker could do it is not looked at.
func Parse(object []byte, base *task.Task) (*task.Task, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		return nil, fmt.Errorf("is not a JSON object: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if slices.Contains(task.RequestFields, name) {
			continue
		}
		if near := human.Nearest(name, task.RequestFields); near != "" {
			return nil, fmt.Errorf("%s is not known; did you mean %s?", human.Quoted(name), near)
		}
		return nil, fmt.Errorf("%s is not known; known are %s", human.Quoted(name), strings.Join(task.RequestFields, ", "))
	}
	if err := spellOut(fields); err != nil {
		return nil, err
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	t := *base
	t.Parameters = maps.Clone(base.Parameters)
	var wrong *json.UnmarshalTypeError
	if err := json.Unmarshal(text, &t); errors.As(err, &wrong) {
		field := wrong.Field[strings.LastIndex(wrong.Field, ".")+1:] // below the part of a task that it belongs to
		return nil, fmt.Errorf("%s is a %s; accepted is a %s", field, wrong.Value, jsonType(wrong))
	} else if err != nil {
		return nil, err
	}
	return &t, nil
}

func jsonType(e *json.UnmarshalTypeError) string {
	switch kind := e.Type.Kind().String(); {
	case strings.HasPrefix(kind, "int"):
		return "whole number"
	case strings.HasPrefix(kind, "float"):
		return "number"
	default:
		return kind
	}
}

// spellOut turns what people write into what a row keeps.
func spellOut(fields map[string]json.RawMessage) error {
	for _, name := range []string{"reference_images", "metadata", "fallbacks"} {
		raw := fields[name]
		if len(raw) == 0 || raw[0] == '"' || string(raw) == "null" {
			continue
		}
		text, err := json.Marshal(string(raw))
		if err != nil {
			return err
		}
		fields[name] = text
	}
	var word string
	if raw := fields["priority"]; len(raw) > 0 && json.Unmarshal(raw, &word) == nil && word != "" {
		p, err := ParsePriority(word)
		if err != nil {
			return fmt.Errorf("priority is %w", err)
		}
		fields["priority"] = json.RawMessage(fmt.Sprint(int(p)))
	}
	return nil
}

var priorities = map[string]task.Priority{"high": task.High, "normal": task.Normal, "low": task.Low}

// ParsePriority reads the word for a priority. Its error begins with the word and says
// what is accepted.
func ParsePriority(word string) (task.Priority, error) {
	p, ok := priorities[word]
	if !ok {
		return 0, fmt.Errorf("%s; accepted are high, normal and low", human.Quoted(word))
	}
	return p, nil
}
