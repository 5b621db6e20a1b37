package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/task"
)

// request lists what was asked for; what was left open is left out.
func (o *output) request(t *task.Task, now time.Time) string {
	list := o.Table()
	add := func(name, value string) {
		if value != "" {
			list.AppendRow(table.Row{"  " + name, cli.OneLine(value, 200)})
		}
	}
	add("provider", t.Provider)
	add("model", t.Model)
	add("size", t.Size)
	add("quality", t.Quality)
	add("style", t.Style)
	add("steps", optional(t.Steps))
	add("cfg scale", optional(t.CFGScale))
	add("seed", optional(t.Seed))
	add("watermark", optional(t.Watermark))
	add("pictures", strconv.Itoa(t.ImageCount))
	add("input", pictureAddress(t.InputImageURL))
	add("input photo", optional(t.InputImageID))
	add("references", references(t))
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		add("parameter "+cli.Clean(name), t.Parameters[name])
	}
	add("user", optional(t.UserID))
	add("drama", optional(t.DramaID))
	add("storyboard", optional(t.StoryboardID))
	add("metadata", t.Metadata)
	add("priority", t.Priority.String())
	add("tries", fmt.Sprintf("%d of %d failed", t.FailedTries, t.MaxTries()))
	add("key", t.IdempotencyKey)
	add("job", t.ProviderJobID)
	add("cost", money(t.CostMicros, t.Currency))
	add("created", moment(t.CreatedAt, now))
	for _, at := range []struct {
		name string
		time *time.Time
	}{{"deadline", t.DeadlineAt}, {"started", t.StartedAt}, {"ended", t.CompletedAt}} {
		if at.time != nil {
			add(at.name, moment(*at.time, now))
		}
	}
	return list.Render()
}

func optional[T any](v *T) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(*v)
}

func references(t *task.Task) string {
	if t.ReferenceImages == "" {
		return ""
	}
	all, err := (&task.Task{Request: task.Request{ReferenceImages: t.ReferenceImages}}).Inputs()
	if err != nil {
		return err.Error()
	}
	for i, url := range all {
		all[i] = pictureAddress(url)
	}
	return strings.Join(all, " ")
}

func (o *output) attempts(all []task.Attempt) string {
	t := o.Table("  #", "state", "account", "sent", "took", "http", "cost", "error")
	for _, at := range all {
		account := at.Provider
		if at.Account != "" {
			account += "/" + at.Account
		}
		t.AppendRow(table.Row{fmt.Sprintf("  %d", at.Number), string(at.State), cli.OneLine(account, 40), local(at.SentAt),
			latency(at), optional(at.HTTPStatus), money(at.CostMicros, at.Currency), cli.OneLine(at.ErrorMsg, 200)})
	}
	return t.Render()
}

func latency(a task.Attempt) string {
	if took, known := a.Took(); known {
		return human.English.Took(took)
	}
	return ""
}

func (o *output) results(all []task.Result) string {
	t := o.Table("  #", "size", "type", "bytes", "seed", "url")
	for _, r := range all {
		size, bytes := fmt.Sprintf("%dx%d", r.Width, r.Height), human.Size(r.FileSize)
		if r.AttemptID == 0 {
			size, bytes = "", "the app's own"
		}
		t.AppendRow(table.Row{fmt.Sprintf("  %d", r.Position+1), size, cli.OneLine(r.ContentType, 20), bytes, optional(r.Seed), cli.OneLine(r.GeneratedImageURL, 200)})
	}
	return t.Render()
}
