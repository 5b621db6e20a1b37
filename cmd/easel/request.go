package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/internal/request"
	"github.com/easelqueue/easel/provider/all"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// requestFlags are the flags that describe a task.
type requestFlags struct {
	t task.Task // what needs no reading

	steps              int
	cfgScale           float64
	seed               int64
	watermark          bool
	user, drama, board int64
	inputs             []string
	references         string
	fallbacks          []string
	fit                bool
	params             []string
	priority           string
	at, deadline, key  string
	in                 time.Duration
}

func (r *requestFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&r.t.Provider, "provider", all.Free, "who draws; "+all.Free+" is free and runs here")
	f.StringVar(&r.t.Model, "model", "", "the provider's model (its default)")
	f.StringVar(&r.t.NegativePrompt, "negative", "", "what must not be in the picture")
	f.StringVar(&r.t.Size, "size", "", "such as 1024x1024, 2K or 16:9")
	f.StringVar(&r.t.Quality, "quality", "", "as the provider names it")
	f.StringVar(&r.t.Style, "style", "", "as the provider names it")
	f.IntVar(&r.steps, "steps", 0, fmt.Sprintf("sampling steps, 1 to %d", task.MaxSteps))
	f.Float64Var(&r.cfgScale, "cfg-scale", 0, fmt.Sprintf("how closely to follow the prompt, 0 to %d", task.MaxCFGScale))
	f.Int64Var(&r.seed, "seed", 0, "the same seed gives the same picture, where the provider can")
	f.BoolVar(&r.watermark, "watermark", false, "let the provider mark the picture")
	f.IntVar(&r.t.ImageCount, "count", 1, fmt.Sprintf("how many pictures, 1 to %d", task.MaxImages))
	f.StringArrayVar(&r.inputs, "input", nil, "picture to start from, a file or a URL; may be repeated")
	f.StringVar(&r.references, "reference-images", "", "more of them, as a JSON array of URLs")
	f.BoolVar(&r.fit, "fit-inputs", false, "scale input pictures down to what the provider takes, instead of refusing them")
	f.StringArrayVar(&r.fallbacks, "fallback", nil, "provider or provider:model to go to if the one before certainly did not draw; may be repeated")
	f.StringArrayVar(&r.params, "param", nil, "name=value, a setting of the provider's own; may be repeated")
	f.StringVar(&r.priority, "priority", "normal", "high, normal or low")
	f.StringVar(&r.at, "at", "", "not before this moment: 2026-12-01T06:00:00Z, or \"2026-12-01 06:00\" here")
	f.DurationVar(&r.in, "in", 0, "not before so long from now, such as 90m")
	f.StringVar(&r.deadline, "deadline", "", "give up then: a moment, or a duration after the start, such as 2h")
	f.IntVar(&r.t.MaxAttempts, "max-attempts", task.DefaultMaxAttempts, fmt.Sprintf("failed tries before the task fails, 1 to %d", task.MaxAttempts))
	f.StringVar(&r.key, "key", "", "idempotency key: asking again with it returns the same task")
	f.Int64Var(&r.user, "user", 0, "for this user")
	f.Int64Var(&r.drama, "drama", 0, "for this drama")
	f.Int64Var(&r.board, "storyboard", 0, "for this storyboard")
	f.StringVar(&r.t.Metadata, "metadata", "", "JSON of yours that travels with the task")
}

// task returns the task that the flags describe, still without prompt and times.
func (r *requestFlags) task(c *cobra.Command) (*task.Task, error) {
	t := r.t
	t.IdempotencyKey, t.ReferenceImages = r.key, r.references
	set := c.Flags().Changed
	t.Steps, t.CFGScale, t.Seed = given(set("steps"), r.steps), given(set("cfg-scale"), r.cfgScale), given(set("seed"), r.seed)
	t.Watermark = given(set("watermark"), r.watermark)
	t.UserID, t.DramaID, t.StoryboardID = given(set("user"), r.user), given(set("drama"), r.drama), given(set("storyboard"), r.board)
	// What a row takes for "not said" must not pass for an answer when it was said.
	if t.ImageCount < 1 || t.ImageCount > task.MaxImages {
		return nil, cli.Usage("--count is %d; accepted are 1 to %d", t.ImageCount, task.MaxImages)
	}
	if t.MaxAttempts < 1 || t.MaxAttempts > task.MaxAttempts {
		return nil, cli.Usage("--max-attempts is %d; accepted are 1 to %d", t.MaxAttempts, task.MaxAttempts)
	}
	var err error
	if t.Priority, err = request.ParsePriority(r.priority); err != nil {
		return nil, cli.Usage("--priority is %v", err)
	}
	if t.Parameters, err = parseParams(r.params); err != nil {
		return nil, err
	}
	if err := r.addInputs(&t); err != nil {
		return nil, err
	}
	t.FitInputs = given(set("fit-inputs"), r.fit)
	if t.Fallbacks, err = parseFallbacks(r.fallbacks); err != nil {
		return nil, err
	}
	return &t, nil
}

func given[T any](set bool, v T) *T {
	if !set {
		return nil
	}
	return &v
}

func parseParams(pairs []string) (map[string]string, error) {
	params := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, cli.Usage("--param is %s; accepted is name=value", human.Quoted(pair))
		}
		if _, twice := params[name]; twice {
			return nil, cli.Usage("--param %s is given twice", human.Quoted(name))
		}
		params[name] = value
	}
	return params, nil
}

func parseFallbacks(texts []string) (string, error) {
	list := make([]task.Fallback, 0, len(texts))
	for _, text := range texts {
		f, err := task.ParseFallback(text)
		if err != nil {
			return "", cli.Usage("--fallback is %s; accepted are provider and provider:model", human.Quoted(text))
		}
		if slices.Contains(list, f) {
			return "", cli.Usage("--fallback %s is given twice", human.Quoted(text))
		}
		list = append(list, f)
	}
	return task.JoinFallbacks(list), nil
}

// times reads --at, --in and --deadline by the database's clock.
func (r *requestFlags) times(ctx context.Context, t *task.Task, s *store.Store) error {
	if r.at == "" && r.in == 0 && r.deadline == "" {
		return nil
	}
	if r.at != "" && r.in != 0 {
		return cli.Usage("give either --at or --in, not both")
	}
	now, err := s.Now(ctx)
	if err != nil {
		return err
	}
	start := now
	if r.at != "" {
		at, ok := parseMoment(r.at)
		if !ok {
			return cli.Usage("--at is %s; accepted are 2026-12-01T06:00:00Z and, in this machine's zone, \"2026-12-01 06:00\"", human.Quoted(r.at))
		}
		t.RunAt, start = at, at
	}
	if r.in < 0 {
		return cli.Usage("--in is %s; accepted are durations from 0s on", r.in)
	}
	if r.in > 0 {
		t.RunAt = now.Add(r.in)
		start = t.RunAt
	}
	if r.deadline == "" {
		return nil
	}
	deadline, ok := parseMoment(r.deadline)
	if d, err := time.ParseDuration(r.deadline); err == nil && d > 0 {
		deadline, ok = start.Add(d), true
	}
	if !ok || !deadline.After(now) {
		return cli.Usage("--deadline is %s; accepted are a moment that is still to come, or a duration such as 2h", human.Quoted(r.deadline))
	}
	t.DeadlineAt = &deadline
	return nil
}

// addInputs puts the first input picture where rows have it, and all others
// before the references.
func (r *requestFlags) addInputs(t *task.Task) error {
	var all []string
	for _, in := range r.inputs {
		url, err := inputURL(in)
		if err != nil {
			return err
		}
		all = append(all, url)
	}
	if len(all) == 0 {
		return nil
	}
	t.InputImageURL = all[0]
	if len(all) == 1 {
		return nil
	}
	references, err := (&task.Task{Request: task.Request{ReferenceImages: t.ReferenceImages}}).Inputs()
	if err != nil {
		return err
	}
	text, err := json.Marshal(append(all[1:], references...))
	t.ReferenceImages = string(text)
	return err
}

// maxInputFile is the largest file whose data URL a task takes.
const maxInputFile = (task.MaxURL - 64) / 4 * 3

// inputURL returns a URL as it is, and a file as a data URL.
func inputURL(in string) (string, error) {
	for _, scheme := range []string{"http://", "https://", "data:"} {
		if strings.HasPrefix(in, scheme) {
			return in, nil
		}
	}
	data, err := config.ReadFile(in, maxInputFile)
	if err != nil {
		return "", cli.Usage("--input %s cannot be used: %v", human.Quoted(in), err)
	}
	kind := http.DetectContentType(data)
	if !strings.HasPrefix(kind, "image/") {
		return "", cli.Usage("--input %s is not a picture but %s; accepted are PNG, JPEG, WebP and GIF files and URLs", human.Quoted(in), kind)
	}
	return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data), nil
}
