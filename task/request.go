package task

import (
	"reflect"
	"strings"
)

// RequestFields are the names of what a Request says, in the order of its fields: those
// of columns, but for the parameters, which have a table, and those of its JSON.
var RequestFields = func() (names []string) {
	for field := range reflect.TypeFor[Request]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}()
