package provider

import (
	"reflect"
	"testing"

	"github.com/easelqueue/easel/task"
)

// What an adapter sees under the name that a row has for it is what the row says.
func TestRequestCarriesWhatTheRowSays(t *testing.T) {
	row := task.Request{Prompt: "a fox", NegativePrompt: "fog", Size: "2K", Quality: "high", Style: "vivid", Steps: new(7), CFGScale: new(1.5), Seed: new(int64(9)),
		Watermark: new(true), Parameters: map[string]string{"a": "1"}}
	seen := reflect.ValueOf(request(&task.Task{Request: row}, "", Batch{}))
	for field, said := range reflect.ValueOf(row).Fields() {
		got := seen.FieldByName(field.Name)
		if !got.IsValid() || got.Type() != field.Type || field.Name == "Model" { // the service's own may stand for it
			continue
		}
		if said.IsZero() {
			t.Errorf("this test says nothing of %s", field.Name)
		}
		if !reflect.DeepEqual(got.Interface(), said.Interface()) {
			t.Errorf("%s is %v, and the row says %v", field.Name, got, said)
		}
	}
}
