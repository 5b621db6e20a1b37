package provider

import (
	"fmt"
	"strconv"

	"github.com/easelqueue/easel/task"
)

// request returns t as an adapter sees it.
func request(t *task.Task, model string, part Batch) Request {
	r := Request{
		Model: model, Prompt: t.Prompt, NegativePrompt: t.NegativePrompt, Size: t.Size, Quality: t.Quality,
		Style: t.Style, Steps: t.Steps, CFGScale: t.CFGScale, Seed: t.Seed, Watermark: t.Watermark,
		Images: max(part.Images, 1), Total: t.ImageCount, Before: part.Before, Inputs: part.Inputs, Parameters: t.Parameters,
	}
	if r.Seed != nil && part.Before > 0 {
		r.Seed = new(*r.Seed + int64(part.Before))
	}
	if t.UserID != nil {
		r.UserID = strconv.FormatInt(*t.UserID, 10)
	}
	return r
}

// fits refuses what the model cannot do, instead of leaving it out silently.
func (r *Request) fits(service string, c Capabilities) error {
	asked := []struct {
		field string
		set   bool
		can   bool
	}{
		{"negative_prompt", r.NegativePrompt != "", c.NegativePrompt},
		{"seed", r.Seed != nil, c.Seed},
		{"steps", r.Steps != nil, c.Steps},
		{"cfg_scale", r.CFGScale != nil, c.CFGScale},
		{"quality", r.Quality != "", c.Quality},
		{"style", r.Style != "", c.Style},
		{"watermark", r.Watermark != nil && *r.Watermark, c.Watermark},
	}
	for _, a := range asked {
		if a.set && !a.can {
			return &task.Failure{Kind: task.Unsupported, Executed: task.NotExecuted,
				Message: fmt.Sprintf("%s cannot honour %s with model %q", service, a.field, r.Model),
				Advice:  task.LeaveOut}
		}
	}
	if len(r.Inputs) > c.MaxInputs {
		return &task.Failure{Kind: task.Unsupported, Executed: task.NotExecuted,
			Message: fmt.Sprintf("%d input pictures were given; %s takes at most %d with model %q", len(r.Inputs), service, c.MaxInputs, r.Model)}
	}
	return nil
}
