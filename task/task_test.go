package task

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestStatus(t *testing.T) {
	t.Run("Only a person's retry leaves a final status", func(t *testing.T) {
		for _, from := range Statuses {
			for _, to := range Statuses {
				if from.Final() && from.CanBecome(to) && to != Pending {
					t.Errorf("%s may become %s", from, to)
				}
			}
		}
		if Completed.CanBecome(Pending) {
			t.Error("a completed task may be bought again")
		}
	})
	t.Run("There are five", func(t *testing.T) {
		if len(Statuses) != 5 || Status("published").Valid() || !Pending.Valid() {
			t.Error("the statuses are not the five")
		}
	})
}

func TestValidate(t *testing.T) {
	steps := func(n int) *int { return &n }
	cfg := func(f float64) *float64 { return &f }
	past := time.Now().Add(-time.Hour)
	good := func() Task { return Task{Request: Request{Provider: "sketch", Prompt: "a fox"}} }
	for _, c := range []struct {
		claim, names string
		spoil        func(*Task)
	}{
		{"An empty prompt is refused", "prompt is empty", func(t *Task) { t.Prompt = " \n" }},
		{"A prompt of 32,001 characters is refused", "prompt has 32001 characters; at most 32000", func(t *Task) { t.Prompt = strings.Repeat("字", 32_001) }},
		{"A prompt with a NUL is refused", "prompt is not UTF-8", func(t *Task) { t.Prompt = "a\x00b" }},
		{"A task without a provider is refused", "provider is empty", func(t *Task) { t.Provider = "" }},
		{"Negative steps are refused", "steps is -5; accepted are 1 to 1000", func(t *Task) { t.Steps = steps(-5) }},
		{"A cfg_scale that is no number is refused", "cfg_scale is NaN", func(t *Task) { t.CFGScale = cfg(math.NaN()) }},
		{"Too many pictures are refused", "image_count is 16; accepted are 1 to 15", func(t *Task) { t.ImageCount = 16 }},
		{"Too many tries are refused", "max_attempts is 101", func(t *Task) { t.MaxAttempts = 101 }},
		{"Broken JSON in references is refused", "reference_images is not a JSON array", func(t *Task) { t.ReferenceImages = `["http` }},
		{"A file as an input is refused", `"file:///etc/passwd"`, func(t *Task) { t.InputImageURL = "file:///etc/passwd" }},
		{"Broken metadata is refused", "metadata is not JSON", func(t *Task) { t.Metadata = "{" }},
		{"A webhook is refused, and its secrets are not told", `webhook_url is "https://app.test/done"; accepted is none`, func(t *Task) { t.WebhookURL = "https://app.test/done?key=secret" }},
		{"A deadline before the start is refused", "deadline_at", func(t *Task) { t.RunAt = time.Now(); t.DeadlineAt = &past }},
		{"A parameter without a name is refused", "parameter_name", func(t *Task) { t.Parameters = map[string]string{"": "x"} }},
		{"Too long a model is refused", "model has 256 characters", func(t *Task) { t.Model = strings.Repeat("m", 256) }},
	} {
		t.Run(c.claim, func(t *testing.T) {
			spoiled := good()
			c.spoil(&spoiled)
			err := spoiled.Validate()
			if err == nil || !strings.Contains(err.Error(), c.names) {
				t.Fatalf("got %v, want it to name %q", err, c.names)
			}
			if f := AsFailure(err); f.Kind != Invalid || f.Executed == Unknown {
				t.Errorf("it is %s, executed %s", f.Kind, f.Executed)
			}
		})
	}
	t.Run("Every mistake is named at once", func(t *testing.T) {
		spoiled := Task{Request: Request{Steps: steps(0), ImageCount: -1}}
		err := spoiled.Validate()
		for _, want := range []string{"prompt", "provider", "steps", "image_count"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not name %s", err, want)
			}
		}
	})
	t.Run("32,000 Chinese characters and emoji are accepted", func(t *testing.T) {
		long := good()
		long.Prompt = strings.Repeat("字🦊", 16_000)
		if err := long.Validate(); err != nil {
			t.Error(err)
		}
	})
	t.Run("Pictures to start from come in order", func(t *testing.T) {
		from := Task{PhotoURL: "http://b", Request: Request{InputImageURL: "http://a", ReferenceImages: `["http://c","http://d"]`}}
		got, err := from.Inputs()
		if want := "http://a http://b http://c http://d"; err != nil || strings.Join(got, " ") != want {
			t.Errorf("got %v, %v", got, err)
		}
	})
}
