package sketch

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/sketch/paint"
	"github.com/easelqueue/easel/task"
)

// version is that of the JSON of job and handle.
const version = 1

// job is the body of a call: all that decides what is drawn and how the service
// behaves meanwhile. It is small whatever the request holds, since it is kept
// with the attempt.
type job struct {
	Version int `json:"v"`

	Width   int         `json:"width"`
	Height  int         `json:"height"`
	Seeds   []int64     `json:"seeds"`  // of each picture
	Digest  string      `json:"digest"` // of the texts that shape the picture
	Scene   paint.Scene `json:"scene,omitempty"`
	Detail  int         `json:"detail"`
	Vivid   float64     `json:"vivid"`
	Caption string      `json:"caption,omitempty"`
	Mark    bool        `json:"mark,omitempty"`
	Inputs  [][]byte    `json:"inputs,omitempty"` // small PNG or JPEG pictures
	Links   int         `json:"links,omitempty"`  // inputs that were given by address

	Async      bool          `json:"async,omitempty"`
	Delay      time.Duration `json:"delay_ns,omitempty"`
	Late       time.Duration `json:"late_ns,omitempty"`
	Fail       []fault       `json:"fail,omitempty"`
	RetryAfter time.Duration `json:"retry_after_ns,omitempty"`
	FailImages []int         `json:"fail_images,omitempty"`
	Moderate   bool          `json:"moderate,omitempty"`
	Empty      bool          `json:"no_picture,omitempty"`
	Dot        bool          `json:"empty,omitempty"` // by its name of before, which handles carry
}

// handle is an accepted job.
type handle struct {
	Version int       `json:"v"`
	Key     string    `json:"key"`
	Number  int       `json:"number"`
	Started time.Time `json:"started_at"`
	Job     job       `json:"job"`
}

func (h handle) accepted() (provider.Answer, error) {
	raw, err := json.Marshal(h)
	if err != nil {
		return provider.Answer{}, &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: err.Error(), Cause: err}
	}
	return provider.Answer{Handle: raw, JobID: h.Key, RequestID: h.Key, PollAfter: min(h.Job.Delay+h.Job.Late, firstPoll)}, nil
}

// left is how long the job will still take.
func (h handle) left(now time.Time) time.Duration {
	return h.Started.Add(h.Job.Delay + h.Job.Late).Sub(now)
}

// progress grows over the delay and then stands still: being late is a surprise.
func (h handle) progress(now time.Time) int {
	const last = 99
	if h.Job.Delay <= 0 {
		return last
	}
	return int(max(0, min(last, 100*now.Sub(h.Started)/h.Job.Delay)))
}

// report is what is worth keeping of an answer.
type report struct {
	Service string  `json:"service"`
	Size    string  `json:"size"`
	Scene   string  `json:"scene,omitempty"`
	Seeds   []int64 `json:"seeds"`
	Note    string  `json:"note,omitempty"`
}

func (j job) report() report {
	r := report{Service: "sketch", Size: fmt.Sprintf("%dx%d", j.Width, j.Height), Scene: string(j.Scene), Seeds: j.Seeds}
	if j.Links > 0 {
		r.Note = fmt.Sprintf("%d input pictures were given by address; sketch fetches nothing, so only the address changes the drawing", j.Links)
	}
	return r
}
