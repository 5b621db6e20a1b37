package openai

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

const (
	// pollAfter is the least pause between two questions after a job.
	pollAfter = 3 * time.Second
	// grace is how long a job may be unknown where it is asked after.
	grace = time.Minute
	// lostAfter is how old a call must be for one of its jobs to be given up.
	lostAfter = 5 * time.Minute
	// maxJobs bounds the jobs of one call: one a picture.
	maxJobs = maxImages
	// maxJobID bounds the name of a job.
	maxJobID = 255
)

// job is how a gateway names one, and says how it stands. Two forms are in use: one
// object with id, status and poll_url, and a list of objects with task_id.
type job struct {
	ID       provider.Text `json:"id"`
	TaskID   provider.Text `json:"task_id"`
	Object   provider.Text `json:"object"`
	Status   provider.Text `json:"status"`
	PollURL  provider.Text `json:"poll_url"`
	Progress provider.Text `json:"progress"`
	Message  provider.Text `json:"message"`
}

// jobObject is the object of the first form.
const jobObject = "image.generation.task"

// name is what the job is asked after by; empty if this names none.
func (j job) name() string {
	name := j.TaskID
	if name == "" && (j.Object == jobObject || j.Status != "") {
		name = j.ID
	}
	if len(name) > maxJobID {
		return ""
	}
	return string(name)
}

// goesOn reports whether one of the jobs says that it has not ended: what stands beside
// it is a preview, or what the call was given.
func goesOn(jobs []job) bool {
	return slices.ContainsFunc(jobs, func(j job) bool {
		status := strings.ToLower(strings.TrimSpace(string(j.Status)))
		return status != "" && !slices.Contains(ended, status) && !slices.Contains(fine, status)
	})
}

// jobs are those that an answer names.
func (one answer) jobs() []job {
	if one.job.name() != "" {
		return []job{one.job}
	}
	var listed provider.List[job]
	var found []job
	json.Unmarshal(one.Data, &listed)
	for _, j := range listed {
		if j.name() != "" && len(found) < maxJobs {
			found = append(found, j)
		}
	}
	return found
}

// version is that of the JSON of a handle.
const version = 1

// handle is what is needed to ask after the jobs of one call.
type handle struct {
	Version   int       `json:"v"`
	Jobs      []string  `json:"jobs"`
	Poll      string    `json:"poll,omitempty"`   // of the only job, as the gateway named it
	Listed    bool      `json:"listed,omitempty"` // asked after below /tasks and not below /images/tasks
	Submitted time.Time `json:"submitted_at"`
}

// accepted is the answer to a call that is drawn later. The address to poll is used
// only if it is the base URL's own; else the key would go where it does not belong.
func (a *Adapter) accepted(r provider.Reply, listed bool, jobs []job) provider.Answer {
	h := handle{Version: version, Listed: listed, Submitted: a.api.Client.Time()}
	for _, j := range jobs {
		h.Jobs = append(h.Jobs, j.name())
	}
	if len(jobs) == 1 && jobs[0].PollURL != "" {
		h.Poll = a.api.Own(string(jobs[0].PollURL))
	}
	return provider.Answer{Handle: provider.WriteHandle(h), JobID: strings.Join(h.Jobs, " "), PollAfter: max(pollAfter, r.RetryAfter),
		RequestID: r.RequestID, HTTPStatus: r.Status, Notes: nil}
}

// Poll asks after each job of the call. What one of them has come to waits for the others.
// A job that is not known any more is waited for as well while others are; once they have
// ended, and it has not come back for lostAfter, they are the answer without it.
func (a *Adapter) Poll(ctx context.Context, raw json.RawMessage) (provider.Answer, error) {
	var h handle
	if err := provider.ReadHandle(raw, "openai", version, &h); err != nil {
		return provider.Answer{}, err
	}
	if len(h.Jobs) == 0 || len(h.Jobs) > maxJobs {
		return provider.Answer{}, provider.StrangeHandle("openai", nil)
	}
	running := provider.Answer{JobID: strings.Join(h.Jobs, " "), PollAfter: pollAfter}
	var done []provider.Answer
	var gone *task.Failure
	lost := 0
	for _, id := range h.Jobs {
		ans, err := a.pollOne(ctx, h, id)
		f := task.AsFailure(err)
		switch {
		case err != nil && f.Executed == task.Executed, err != nil && f.Kind == task.Expired:
			if f.Executed != task.Executed {
				gone, lost = f, lost+1
			}
			own := *f
			own.Executed = task.Executed // the gateway had taken it
			done = append(done, provider.Answer{Done: true, Outputs: []provider.Output{{Err: &own}}})
		case err != nil:
			return provider.Answer{}, err
		case ans.Done:
			done = append(done, ans)
		default:
			running.PollAfter, running.Progress = max(running.PollAfter, ans.PollAfter), max(running.Progress, ans.Progress)
		}
	}
	switch {
	case lost == len(h.Jobs):
		return provider.Answer{}, gone
	case len(done) < len(h.Jobs), lost > 0 && a.api.Client.Time().Sub(h.Submitted) < lostAfter:
		return running, nil
	}
	all, err := together(done, running.JobID)
	if err != nil && lost > 0 {
		return all, gone // the lost one may be drawn
	}
	return all, err
}

// together makes one answer of those of all jobs.
func together(done []provider.Answer, id string) (provider.Answer, error) {
	all := done[0]
	for _, ans := range done[1:] {
		for _, o := range ans.Outputs {
			o.Position = len(all.Outputs)
			all.Outputs = append(all.Outputs, o)
		}
		if all.Usage != nil && ans.Usage != nil {
			all.Usage = &provider.Usage{InputTokens: all.Usage.InputTokens + ans.Usage.InputTokens, OutputTokens: all.Usage.OutputTokens + ans.Usage.OutputTokens}
		} else {
			all.Usage = nil // unknown is never 0
		}
	}
	all.JobID = id
	for _, o := range all.Outputs {
		if o.Err == nil {
			return all, nil
		}
	}
	return provider.Answer{}, provider.Missing(all.Outputs)
}

// pollOne asks after one job. An Answer whose only output is a failure is one of a
// job that has ended badly.
func (a *Adapter) pollOne(ctx context.Context, h handle, id string) (provider.Answer, error) {
	var r provider.Reply
	for _, where := range h.addresses(id) {
		var err error
		if r, err = a.api.Ask(ctx, http.MethodGet, where, nil); err != nil {
			return provider.Answer{}, err
		}
		if r.Status != http.StatusNotFound {
			break
		}
	}
	switch {
	case r.Status == http.StatusNotFound && a.api.Client.Time().Sub(h.Submitted) < grace:
		return provider.Answer{PollAfter: max(pollAfter, r.RetryAfter)}, nil
	case r.Status == http.StatusNotFound:
		return provider.Answer{}, r.Gone("the provider does not know the job any more")
	case !r.OK():
		c := r.Complaint()
		f := faults.Failure(r, c.Text(), c.Code, c.Type)
		if f.Kind != task.Moderated {
			f.Executed = task.NotExecuted // it says nothing of the job
		}
		return provider.Answer{}, f
	}
	return readJob(r)
}

// addresses are where a job may be asked after: as the gateway said, or where each
// of the two forms has it.
func (h handle) addresses(id string) []string {
	if h.Poll != "" {
		return []string{h.Poll}
	}
	both := []string{"/images/tasks/" + url.PathEscape(id), "/tasks/" + url.PathEscape(id)}
	if h.Listed {
		slices.Reverse(both)
	}
	return both
}

var (
	ended  = []string{"completed", "complete", "succeeded", "success", "successful", "done", "finished", "ready"}
	fine   = []string{"ok", "0", "1", "200", "true"} // say of the answer that it is one
	failed = []string{"failed", "failure", "fail", "error", "errored", "cancelled", "canceled", "expired", "rejected"}
)

// readJob is what a job's state means now. A state that nobody knows is one on the
// way; pictures without a state are the end.
func readJob(r provider.Reply) (provider.Answer, error) {
	said, err := gather(r)
	if err != nil {
		return provider.Answer{}, err
	}
	said.unwrap()
	status := strings.ToLower(strings.TrimSpace(string(said.Status)))
	drawn := len(named(said.pictures)) > 0
	switch {
	case slices.Contains(failed, status):
		return provider.Answer{Done: true, Outputs: []provider.Output{{Err: said.ending(r, status)}}}, nil
	case slices.Contains(ended, status), status == "" && drawn:
		json.Unmarshal(said.Result, &said.kept) // the synchronous answer, where the gateway keeps it whole
		done, err := said.done(r)
		if f := task.AsFailure(err); f != nil {
			f.Executed = task.Executed // the job has ended; there is nothing more to ask for
			return provider.Answer{Done: true, Outputs: []provider.Output{{Err: f}}}, nil
		}
		return done, nil
	case status == "":
		return provider.Answer{}, r.Bad("the provider's answer does not say how the job stands")
	}
	return provider.Answer{PollAfter: max(pollAfter, r.RetryAfter), Progress: said.percent()}, nil
}

// unwrap takes the job out of the envelope that some gateways put around it.
func (all *gathered) unwrap() {
	var inner provider.List[answer]
	json.Unmarshal(all.Data, &inner)
	if all.Status == "" && len(inner) > 0 && inner[0].Status != "" {
		all.pictures, all.answer = inner[0].images(), inner[0]
	}
}

func (one answer) ending(r provider.Reply, status string) *task.Failure {
	text, codes := string(one.Message), []string{}
	if one.Error != nil {
		text, codes = one.Error.Text(), []string{one.Error.Code, one.Error.Type}
	}
	f := faults.Ended(r, "the provider did not draw", text, codes...)
	f.Unbilled = false // the service says so of its calls; only gateways have jobs, and may bill one however it ends
	if status == "cancelled" || status == "canceled" {
		f.Kind, f.Message = task.Stopped, "the job was cancelled at the provider"
	}
	if f.Code == "" && f.Detail == "" {
		f.Detail = "its job is " + status
	}
	return f
}

func (j job) percent() int {
	n, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(string(j.Progress)), "%"), 64)
	if err != nil || !(n > 0) {
		return 0
	}
	return int(min(n, 100))
}
