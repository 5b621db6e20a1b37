package task

import (
	"encoding/json"
	"testing"
	"time"
)

func TestExecution(t *testing.T) {
	t.Run("A failure that does not say is of unknown outcome, and its call is not made again", func(t *testing.T) {
		f := new(Failure)
		if f.Executed != Unknown || f.MayFallBack() {
			t.Errorf("it is %s", f.Executed)
		}
		f.Kind = Unavailable
		if d := new(Task).Fail(f, Retry{}, time.Now(), half); d.Status != Failed || d.Failure.Kind != OutcomeUnknown || f.MayFallBack() {
			t.Errorf("it is %s: %+v", d.Status, d.Failure)
		}
	})
	t.Run("JSON says it as every release reads it", func(t *testing.T) {
		for e, want := range map[Execution]string{Unknown: `"maybe"`, NotExecuted: `"no"`, Executed: `"yes"`} {
			if text, err := json.Marshal(e); err != nil || string(text) != want {
				t.Errorf("%s, %v; want %s", text, err, want)
			}
		}
	})
	t.Run("What former releases have journalled is read as they meant it", func(t *testing.T) {
		for text, want := range map[string]Execution{`{"Executed":"maybe"}`: Unknown, `{"Executed":"no"}`: NotExecuted, `{"Executed":"yes"}`: Executed,
			`{"Executed":""}`: NotExecuted, `{"Executed":"later"}`: Unknown, `{}`: Unknown} {
			var f Failure
			if err := json.Unmarshal([]byte(text), &f); err != nil || f.Executed != want {
				t.Errorf("%s is %s, %v; want %s", text, f.Executed, err, want)
			}
		}
	})
}
