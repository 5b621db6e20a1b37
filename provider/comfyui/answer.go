package comfyui

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// job is an entry of the queue: number, id, and more.
type job []json.RawMessage

func (j job) id() (id string) {
	if len(j) > 1 {
		json.Unmarshal(j[1], &id) // what is no text is no id of ours
	}
	return id
}

// entry is a job that has ended.
type entry struct {
	Outputs map[string]struct {
		Images []file `json:"images"`
	} `json:"outputs"`
	Status struct {
		Text      string              `json:"status_str"`
		Completed bool                `json:"completed"`
		Messages  [][]json.RawMessage `json:"messages"`
	} `json:"status"`
}

// file is a picture that the server has saved; those of type temp are previews.
type file struct {
	Filename  string `json:"filename"`
	Subfolder string `json:"subfolder"`
	Type      string `json:"type"`
}

// kept is what stays on record of an answer.
type kept struct {
	ID    string   `json:"prompt_id"`
	Files []string `json:"files"`
}

// answer makes an Answer of a job that has ended: its saved files, by node and in the
// order in which each node has them.
func (e entry) answer(r provider.Reply, base string, h handle) (provider.Answer, error) {
	if e.Status.Text == "error" || e.Status.Text != "" && !e.Status.Completed {
		return provider.Answer{}, e.failure(r)
	}
	k := kept{ID: h.ID}
	var outputs []provider.Output
	nodes := make([]string, 0, len(e.Outputs))
	for node := range e.Outputs {
		nodes = append(nodes, node)
	}
	slices.SortFunc(nodes, byNumber)
	for _, node := range nodes {
		for _, f := range e.Outputs[node].Images {
			if f.Type == "temp" || f.Filename == "" {
				continue
			}
			query := url.Values{"filename": {f.Filename}, "subfolder": {f.Subfolder}, "type": {f.Type}}
			o := r.Link(len(outputs), base+"/view?"+query.Encode())
			o.Seed = h.Seed
			outputs = append(outputs, o)
			k.Files = append(k.Files, strings.TrimPrefix(f.Subfolder+"/"+f.Filename, "/"))
		}
	}
	a, err := r.Done(outputs, k)
	if f := task.AsFailure(err); f != nil {
		f.Executed, f.Next = task.Yes, "The workflow must end in a node that saves, such as SaveImage" // it has ended
	}
	a.JobID = h.ID
	return a, err
}

// byNumber orders node ids as people number them: 9 before 10.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// failure reads what went wrong from the job's messages.
func (e entry) failure(r provider.Reply) *task.Failure {
	for _, m := range e.Status.Messages {
		var event string
		var data struct {
			NodeType  string `json:"node_type"`
			Exception string `json:"exception_type"`
			Message   string `json:"exception_message"`
		}
		if len(m) < 2 || json.Unmarshal(m[0], &event) != nil || json.Unmarshal(m[1], &data) != nil {
			continue
		}
		switch event {
		case "execution_error":
			f := faults.Ended(r, "the workflow failed in "+r.Scrub(data.NodeType), strings.TrimSpace(data.Message), exception(data.Exception))
			return f
		case "execution_interrupted":
			return &task.Failure{Kind: task.Stopped, Executed: task.Yes, Message: "the job was interrupted at the server", HTTPStatus: r.Status}
		}
	}
	return faults.Ended(r, "the workflow failed", "", "")
}

// exception is the name of a Python exception without its module.
func exception(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

const correct = "Correct the workflow, or what the task puts into it"

// faults is the server's table of errors.
var faults = provider.Faults{
	{Code: "OutOfMemoryError", Kind: task.Unsupported, Executed: task.Yes, Next: "Ask for a smaller size or fewer pictures, or give the server more memory"},
	{Code: "prompt_outputs_failed_validation", Kind: task.Invalid, Executed: task.No, Next: correct},
	{Code: "prompt_no_outputs", Kind: task.Invalid, Executed: task.No, Next: correct},
	{Code: "no_prompt", Kind: task.Invalid, Executed: task.No, Next: correct},
	{Code: "invalid_prompt", Kind: task.Invalid, Executed: task.No, Next: correct},
	{Code: "invalid_prompt_id", Kind: task.Internal, Executed: task.No},
	{Code: "missing_node_type", Kind: task.Invalid, Executed: task.No, Next: "Install the node that the workflow names"},

	{Status: http.StatusRequestEntityTooLarge, Kind: task.Invalid, Executed: task.No, Next: "Give a smaller input picture, or raise the server's max-upload-size"},
}

// problem is how the server writes an error: of the whole workflow, and of its nodes.
type problem struct {
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
		Details string `json:"details"`
	} `json:"error"`
	Nodes json.RawMessage `json:"node_errors"`
}

func refusal(r provider.Reply) *task.Failure {
	var p problem
	json.Unmarshal(r.Body, &p) // what is no JSON is shown as it is
	text := strings.TrimSpace(p.Error.Message + " " + p.Error.Details)
	if len(p.Nodes) > 2 && !bytes.Equal(p.Nodes, []byte("null")) {
		text += " " + string(p.Nodes)
	}
	return faults.Failure(r, text, p.Error.Type)
}
