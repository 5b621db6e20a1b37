package store

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/easelqueue/easel/task"
)

// requestColumn is a column that holds one field of what a task asks for.
type requestColumn struct {
	name     string
	field    int // of task.Request
	kind     reflect.Kind
	required bool // its empty text is a value, and not NULL
}

// requestColumns are all fields of task.Request but the parameters, which have a table:
// what INSERT writes and SELECT reads is made from them, and listed nowhere else.
var requestColumns = func() (all []requestColumn) {
	row := reflect.TypeFor[task.Request]()
	for i, name := range task.RequestFields {
		if field := row.Field(i); field.Type.Kind() != reflect.Map {
			all = append(all, requestColumn{name, i, field.Type.Kind(), !strings.HasSuffix(field.Tag.Get("json"), ",omitempty")})
		}
	}
	return all
}()

// requestList joins what of says of each of the columns.
func requestList(of func(requestColumn) string) string {
	texts := make([]string, len(requestColumns))
	for i, c := range requestColumns {
		texts[i] = of(c)
	}
	return strings.Join(texts, ", ")
}

// named is how INSERT calls the column.
func (c requestColumn) named() string { return c.name }

// read is the column in a SELECT list: what is NULL reads as the zero of its field.
func (c requestColumn) read() string {
	switch c.kind {
	case reflect.String:
		return fmt.Sprintf("coalesce(%s, '') AS %[1]s", c.name)
	case reflect.Int:
		return fmt.Sprintf("coalesce(%s, 0) AS %[1]s", c.name)
	}
	return c.name
}

// placed is the column's place in VALUES.
func (c requestColumn) placed() string {
	if c.name == "run_at" { // at once
		return "coalesce(?, now())"
	}
	return "?"
}

// value is what goes there.
func (c requestColumn) value(r *task.Request) any {
	switch v := reflect.ValueOf(r).Elem().Field(c.field).Interface().(type) {
	case string:
		if c.required {
			return v
		}
		return null(v)
	case time.Time:
		return utc(&v)
	case *time.Time:
		return utc(v)
	default:
		return v
	}
}
