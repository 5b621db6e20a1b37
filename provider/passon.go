package provider

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/easelqueue/easel/task"
)

// maxPassedOn is how many bytes a value may have that is passed on.
const maxPassedOn = 4_000

var passedOn = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// PassOn adds the parameters of a service whose models each take their own to the
// input of a call: a value that reads as a number or a truth value is one. What the
// row of r says by itself, by a reserved name or one that input has, may be said again
// but not otherwise.
func PassOn(r Request, given map[string]string, input map[string]any, reserved ...string) error {
	bad := func(format string, values ...any) error {
		return &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: fmt.Sprintf(format, values...)}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		value := given[name]
		switch {
		case !passedOn.MatchString(name):
			return bad("parameter %q is not known; parameters are names of the model's input, such as output_format", cut(name, 64))
		case slices.Contains(reserved, name) || input[name] != nil:
			if mistake := r.again(name, value, input[name]); mistake != "" {
				return bad("%s", mistake)
			}
			continue
		case len(value) > maxPassedOn:
			return bad("parameter %s has %d bytes; accepted are up to %d", name, len(value), maxPassedOn)
		}
		input[name] = typed(value)
	}
	return nil
}

// again is what is wrong with a parameter whose name the call has already, or empty.
func (r *Request) again(name, value string, has any) string {
	if mistake, is := r.repeated(name, value); is {
		return mistake
	}
	if has != nil && same(fmt.Sprint(has), value) {
		return ""
	}
	return fmt.Sprintf("parameter %s is set by the task itself", name)
}

// typed reads a number or a truth value. A number stays as it is written: 0.10 is
// not 0.1 to everybody.
func typed(value string) any {
	var v any
	if json.Unmarshal([]byte(value), &v) != nil {
		return value
	}
	switch v.(type) {
	case bool:
		return v
	case float64:
		return json.RawMessage(value)
	}
	return value
}
