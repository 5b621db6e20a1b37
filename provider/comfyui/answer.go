package comfyui

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// job is an entry of the queue: number, id, and more.
type job provider.List[json.RawMessage]

func (j job) id() string {
	var id provider.Text
	if len(j) > 1 {
		json.Unmarshal(j[1], &id)
	}
	return string(id)
}

// entry is a job that has ended.
type entry struct {
	Prompt  provider.List[json.RawMessage] `json:"prompt"` // number, id, workflow, and more
	Outputs map[string]output              `json:"outputs"`
	Status  struct {
		Text      provider.Text                                 `json:"status_str"`
		Completed provider.Text                                 `json:"completed"`
		Messages  provider.List[provider.List[json.RawMessage]] `json:"messages"`
	} `json:"status"`
}

// output is what one node has shown or saved. A node of the Video Helper Suite calls
// gifs what it has made, also where it is a video.
type output struct {
	Images provider.List[file] `json:"images"`
	Gifs   provider.List[file] `json:"gifs"`
}

// file is what the server has saved; those of type temp are previews.
type file struct {
	Filename  provider.Text `json:"filename"`
	Subfolder provider.Text `json:"subfolder"`
	Type      provider.Text `json:"type"`
	Format    provider.Text `json:"format"` // video/h264-mp4, image/gif; of gifs only
}

func (f file) preview() bool { return f.Type == "temp" }

func (f file) video() bool { return strings.HasPrefix(string(f.Format), "video/") }

// kept is what stays on record of an answer.
type kept struct {
	ID    string   `json:"prompt_id"`
	Files []string `json:"files"`
}

// answer makes an Answer of a job that has ended: its saved files, by node and in the
// order in which each node has them.
func (e entry) answer(r provider.Reply, base string, h handle) (provider.Answer, error) {
	if e.Status.Text == "error" || e.Status.Text != "" && e.Status.Completed == "false" {
		return provider.Answer{}, e.failure(r)
	}
	k := kept{ID: h.ID}
	var outputs []provider.Output
	for _, f := range e.files() {
		if f.preview() || f.video() || f.Filename == "" {
			continue
		}
		query := url.Values{"filename": {string(f.Filename)}, "subfolder": {string(f.Subfolder)}, "type": {string(cmp.Or(f.Type, "output"))}}
		o := r.Link(len(outputs), base+"/view?"+query.Encode())
		o.Seed = h.Seed
		outputs = append(outputs, o)
		k.Files = append(k.Files, strings.TrimPrefix(string(f.Subfolder+"/"+f.Filename), "/"))
	}
	if len(outputs) == 0 {
		return provider.Answer{}, e.nothing(r)
	}
	a, err := r.Done(outputs, k)
	a.JobID = h.ID
	return a, err
}

// files are what all nodes have shown or saved.
func (e entry) files() (all []file) {
	for _, node := range slices.SortedFunc(maps.Keys(e.Outputs), byNumber) {
		all = append(append(all, e.Outputs[node].Images...), e.Outputs[node].Gifs...)
	}
	return all
}

// nothing is the failure of a job that has ended well and left no picture. It would
// end the same way each time.
func (e entry) nothing(r provider.Reply) *task.Failure {
	f := faults.Ended(r, "the workflow has ended and saved no picture", "", "no_output")
	f.Code = ""
	files := e.files()
	switch {
	case slices.ContainsFunc(files, file.video):
		f.Message = "the workflow saved a video and no picture"
	case slices.ContainsFunc(files, file.preview) || e.has("PreviewImage"):
		f.Message, f.About = "the workflow shows a preview and saves no picture", "PreviewImage"
	case e.has("SaveImageWebsocket"):
		f.Message, f.About = "the workflow sends its picture over a websocket and saves none", "SaveImageWebsocket"
	}
	return f
}

// has reports whether the workflow that was run has a node of that class.
func (e entry) has(class string) bool {
	var nodes map[string]struct {
		Class provider.Text `json:"class_type"`
	}
	if len(e.Prompt) > 2 {
		json.Unmarshal(e.Prompt[2], &nodes) // what cannot be read has none
	}
	for _, n := range nodes {
		if string(n.Class) == class {
			return true
		}
	}
	return false
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
			NodeType  provider.Text `json:"node_type"`
			Exception provider.Text `json:"exception_type"`
			Message   provider.Text `json:"exception_message"`
		}
		if len(m) < 2 || json.Unmarshal(m[0], &event) != nil || json.Unmarshal(m[1], &data) != nil {
			continue
		}
		switch event {
		case "execution_error":
			f := faults.Ended(r, "the workflow failed in "+r.Scrub(string(data.NodeType)), strings.TrimSpace(string(data.Message)), exception(string(data.Exception)))
			return f
		case "execution_interrupted":
			return &task.Failure{Kind: task.Stopped, Executed: task.Executed, Message: "the job was interrupted at the server", HTTPStatus: r.Status}
		}
	}
	return faults.Ended(r, "the workflow failed", "", "")
}

// exception is the name of a Python exception without its module.
func exception(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// faults is the server's table of errors.
var faults = provider.Faults{
	{Code: "OutOfMemoryError", Kind: task.Unsupported, Executed: task.Executed, Advice: task.AskForLess},
	{Code: "no_output", Kind: task.Unsupported, Executed: task.Executed, Advice: task.SaveImage},
	{Code: "prompt_outputs_failed_validation", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectWorkflow},
	{Code: "prompt_no_outputs", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectWorkflow},
	{Code: "no_prompt", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectWorkflow},
	{Code: "invalid_prompt", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectWorkflow},
	{Code: "invalid_prompt_id", Kind: task.Internal, Executed: task.NotExecuted},
	{Code: "missing_node_type", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectWorkflow},

	{Status: http.StatusRequestEntityTooLarge, Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.ShrinkPicture},
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
