package midjourney

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// job is the proxy's word on a task.
type job struct {
	ID          string `json:"id"`
	State       string `json:"state"`
	Action      string `json:"action"`
	Status      string `json:"status"`
	Progress    string `json:"progress"` // "45%", or some other text
	ImageURL    string `json:"imageUrl"` // a preview until the status is SUCCESS
	ImageURLs   []link `json:"imageUrls"`
	FailReason  string `json:"failReason"`
	PromptEn    string `json:"promptEn"`
	Prompt      string `json:"prompt"`
	Seed        string `json:"seed"`
	Code        *int   `json:"code"` // of gateways that do not know it
	Description string `json:"description"`
	Properties  struct {
		FinalPrompt string `json:"finalPrompt"`
	} `json:"properties"`
	Buttons []struct {
		CustomID string `json:"customId"`
		Label    string `json:"label"`
		Emoji    string `json:"emoji"`
	} `json:"buttons"`
}

type link struct {
	URL string `json:"url"`
}

// kept is what stays on record of an answer: the buttons say what can be done to the
// picture next.
type kept struct {
	ID      string            `json:"id"`
	Action  string            `json:"action,omitempty"`
	Prompt  string            `json:"final_prompt,omitempty"`
	Buttons map[string]string `json:"buttons,omitempty"` // label → custom_id
}

// answer is what the task's status means now.
func (j job) answer(r provider.Reply, h handle) (provider.Answer, error) {
	switch j.Status {
	case "NOT_START", "SUBMITTED", "IN_PROGRESS":
		return provider.Answer{JobID: h.ID, PollAfter: pollAfter, Progress: j.percent()}, nil
	case "SUCCESS":
		return j.done(r, h)
	case "FAILURE":
		return provider.Answer{}, faults.Ended(r, "Midjourney did not draw", j.FailReason, reason(j.FailReason))
	case "CANCEL":
		return provider.Answer{}, &task.Failure{Kind: task.Stopped, Executed: task.Yes, Message: "the task was cancelled at the proxy", HTTPStatus: r.Status}
	case "MODAL":
		return provider.Answer{}, faults.Ended(r, "Midjourney waits for a person to fill in a form", "", "MODAL")
	}
	return provider.Answer{}, r.Bad(fmt.Sprintf("the proxy's answer has the unknown status %q", r.Scrub(j.Status)))
}

// done gives the grid, or its four pictures: as the proxy has cut them, or to be cut.
func (j job) done(r provider.Reply, h handle) (provider.Answer, error) {
	var outputs []provider.Output
	if h.Split && len(j.ImageURLs) == tiles*tiles {
		for i, l := range j.ImageURLs {
			outputs = append(outputs, r.Link(i, l.URL))
		}
	} else {
		o := r.Link(0, j.ImageURL)
		if h.Split && o.Err == nil {
			o.Tiles = tiles
		}
		outputs = append(outputs, o)
	}
	k := kept{ID: h.ID, Action: j.Action, Prompt: j.Properties.FinalPrompt}
	for _, b := range j.Buttons {
		if k.Buttons == nil {
			k.Buttons = make(map[string]string)
		}
		k.Buttons[strings.TrimSpace(b.Emoji+" "+b.Label)] = b.CustomID
	}
	for i := range outputs {
		outputs[i].RevisedPrompt = j.Properties.FinalPrompt
		if seed, err := strconv.ParseInt(j.Seed, 10, 64); err == nil {
			outputs[i].Seed = &seed
		}
	}
	a, err := r.Done(outputs, k)
	if f := task.AsFailure(err); f != nil {
		f.Executed = task.Yes // the task has ended; there is nothing more to ask for
	}
	a.JobID = h.ID
	return a, err
}

func (j job) percent() int {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(j.Progress), "%"))
	if err != nil {
		return 0
	}
	return max(0, min(n, 100))
}
