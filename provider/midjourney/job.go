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
	ID          provider.Text   `json:"id"`
	State       provider.Text   `json:"state"`
	Action      provider.Text   `json:"action"`
	Status      provider.Text   `json:"status"`
	Progress    provider.Text   `json:"progress"` // "45%", or some other text
	ImageURL    provider.Images `json:"imageUrl"` // a preview until the status is SUCCESS
	ImageURLs   provider.Images `json:"imageUrls"`
	FailReason  provider.Text   `json:"failReason"`
	PromptEn    provider.Text   `json:"promptEn"`
	Prompt      provider.Text   `json:"prompt"`
	Seed        provider.Number `json:"seed"`
	Code        provider.Number `json:"code"` // of gateways that do not know it
	Description provider.Text   `json:"description"`
	Properties  struct {
		FinalPrompt provider.Text `json:"finalPrompt"`
	} `json:"properties"`
	Buttons provider.List[button] `json:"buttons"`
}

type button struct {
	CustomID provider.Text `json:"customId"`
	Label    provider.Text `json:"label"`
	Emoji    provider.Text `json:"emoji"`
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
	switch strings.ToUpper(string(j.Status)) {
	case "NOT_START", "SUBMITTED", "IN_PROGRESS":
		return provider.Answer{JobID: h.ID, PollAfter: pollAfter, Progress: j.percent()}, nil
	case "SUCCESS":
		return j.done(r, h)
	case "FAILURE":
		return provider.Answer{}, faults.Ended(r, "Midjourney did not draw", string(j.FailReason), reason(string(j.FailReason)))
	case "CANCEL":
		return provider.Answer{}, &task.Failure{Kind: task.Stopped, Executed: task.Executed, Message: "the task was cancelled at the proxy", HTTPStatus: r.Status}
	case "MODAL":
		return provider.Answer{}, faults.Ended(r, "Midjourney waits for a person to fill in a form", "", "MODAL")
	}
	if j.percent() == 100 && len(j.ImageURL) > 0 {
		return j.done(r, h) // whatever the proxy calls it
	}
	return provider.Answer{}, r.Bad(fmt.Sprintf("the proxy's answer has the unknown status %q", r.Scrub(string(j.Status))))
}

// done gives the grid, or its four pictures: as the proxy has cut them, or to be cut.
func (j job) done(r provider.Reply, h handle) (provider.Answer, error) {
	var outputs []provider.Output
	switch {
	case h.Split && len(j.ImageURLs) == tiles*tiles, len(j.ImageURL) == 0:
		outputs = r.Outputs(j.ImageURLs)
	default:
		outputs = r.Outputs(j.ImageURL[:1])
		if h.Split && outputs[0].Err == nil {
			outputs[0].Tiles = tiles
		}
	}
	k := kept{ID: h.ID, Action: string(j.Action), Prompt: string(j.Properties.FinalPrompt)}
	for _, b := range j.Buttons {
		if k.Buttons == nil {
			k.Buttons = make(map[string]string)
		}
		k.Buttons[strings.TrimSpace(string(b.Emoji+" "+b.Label))] = string(b.CustomID)
	}
	for i := range outputs {
		outputs[i].RevisedPrompt = string(j.Properties.FinalPrompt)
		outputs[i].Seed = j.Seed.Whole()
	}
	a, err := r.Done(outputs, k)
	if f := task.AsFailure(err); f != nil {
		f.Executed = task.Executed // the task has ended; there is nothing more to ask for
	}
	a.JobID = h.ID
	return a, err
}

func (j job) percent() int {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(string(j.Progress)), "%"))
	if err != nil {
		return 0
	}
	return max(0, min(n, 100))
}
