package task

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Validate reports every field that no provider could honour, in one Invalid
// failure. It is the same for all three doors: before a task is stored, and
// before a row that came by SQL is worked on.
func (t *Task) Validate() error {
	errs := slices.Concat(t.validateTexts(), t.validateNumbers(), t.validateURLs(), t.validateParameters())
	if len(errs) == 0 {
		return nil
	}
	return &Failure{Kind: Invalid, Executed: NotExecuted, Message: strings.ReplaceAll(errors.Join(errs...).Error(), "\n", "; ")}
}

func (t *Task) validateTexts() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch n := utf8.RuneCountInString(t.Prompt); {
	case strings.TrimSpace(t.Prompt) == "":
		bad("prompt is empty; it must say what to draw")
	case n > MaxPrompt:
		bad("prompt has %d characters; at most %d are accepted", n, MaxPrompt)
	}
	for _, f := range []struct{ name, value string }{{"provider", t.Provider}, {"model", t.Model}, {"size", t.Size},
		{"quality", t.Quality}, {"style", t.Style}, {"subject_type", t.SubjectType}, {"subject_id", t.SubjectID},
		{"idempotency_key", t.IdempotencyKey}} {
		if n := utf8.RuneCountInString(f.value); n > MaxText {
			bad("%s has %d characters; at most %d are accepted", f.name, n, MaxText)
		}
	}
	for _, f := range []struct{ name, value string }{{"prompt", t.Prompt}, {"negative_prompt", t.NegativePrompt}, {"metadata", t.Metadata}} {
		if !utf8.ValidString(f.value) || strings.ContainsRune(f.value, 0) {
			bad("%s is not UTF-8 text without NUL characters", f.name)
		}
	}
	if n := utf8.RuneCountInString(t.NegativePrompt); n > MaxPrompt {
		bad("negative_prompt has %d characters; at most %d are accepted", n, MaxPrompt)
	}
	if t.Provider == "" {
		bad("provider is empty; name one")
	}
	if len(t.Metadata) > MaxMetadata || t.Metadata != "" && !json.Valid([]byte(t.Metadata)) {
		bad("metadata is not JSON of at most %d bytes", MaxMetadata)
	}
	return errs
}

func (t *Task) validateNumbers() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if t.ImageCount < 0 || t.ImageCount > MaxImages {
		bad("image_count is %d; accepted are 1 to %d", t.ImageCount, MaxImages)
	}
	if t.Steps != nil && (*t.Steps < 1 || *t.Steps > MaxSteps) {
		bad("steps is %d; accepted are 1 to %d", *t.Steps, MaxSteps)
	}
	if c := t.CFGScale; c != nil && (math.IsNaN(*c) || *c < 0 || *c > MaxCFGScale) {
		bad("cfg_scale is %v; accepted are 0 to %d", *c, MaxCFGScale)
	}
	if t.MaxAttempts < 0 || t.MaxAttempts > MaxAttempts {
		bad("max_attempts is %d; accepted are 1 to %d", t.MaxAttempts, MaxAttempts)
	}
	if t.DeadlineAt != nil && t.DeadlineAt.Before(t.RunAt) {
		bad("deadline_at is %s, before run_at %s", t.DeadlineAt.Format(timeFormat), t.RunAt.Format(timeFormat))
	}
	return errs
}

const timeFormat = "2006-01-02T15:04:05Z07:00"

func (t *Task) validateURLs() []error {
	var errs []error
	if _, err := t.FallbackList(); err != nil {
		errs = append(errs, errors.New(AsFailure(err).Message))
	}
	if t.WebhookURL != "" {
		errs = append(errs, fmt.Errorf("webhook_url is %.80q; accepted is none, since easel does not call apps back yet: leave it out (NULL in SQL) and look at status", unsigned(WithoutUser(t.WebhookURL))))
	}
	inputs, err := t.Inputs()
	if err != nil {
		return append(errs, errors.New(AsFailure(err).Message))
	}
	if len(inputs) > MaxReferences {
		errs = append(errs, fmt.Errorf("%d input pictures were given; at most %d are accepted", len(inputs), MaxReferences))
	}
	total := 0
	for _, in := range inputs {
		total += len(in)
		switch {
		case len(in) > MaxURL:
			errs = append(errs, fmt.Errorf("an input picture has %d bytes as a URL; at most %d are accepted", len(in), MaxURL))
		case !isHTTP(in) && !strings.HasPrefix(in, "data:image/"):
			errs = append(errs, fmt.Errorf("an input picture is %.80q; accepted are http, https and data:image/ URLs", unsigned(WithoutUser(in))))
		}
	}
	if total > MaxInputs {
		errs = append(errs, fmt.Errorf("the input pictures have %d bytes together; at most %d are accepted", total, MaxInputs))
	}
	return errs
}

func (t *Task) validateParameters() []error {
	var errs []error
	if len(t.Parameters) > MaxParameters {
		errs = append(errs, fmt.Errorf("%d parameters were given; at most %d are accepted", len(t.Parameters), MaxParameters))
	}
	for name, value := range t.Parameters {
		if name == "" || utf8.RuneCountInString(name) > MaxText {
			errs = append(errs, fmt.Errorf("parameter_name is %.80q; accepted are 1 to %d characters", name, MaxText))
		}
		if len(value) > MaxParameter || !utf8.ValidString(value) {
			errs = append(errs, fmt.Errorf("parameter %.80q has %d bytes; at most %d of UTF-8 text are accepted", name, len(value), MaxParameter))
		}
	}
	return errs
}

func isHTTP(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
