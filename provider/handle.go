package provider

import (
	"encoding/json"
	"fmt"

	"github.com/easelqueue/easel/task"
)

// WriteHandle returns h, which has a version in "v" and no secret, as a handle.
func WriteHandle(h any) json.RawMessage {
	raw, err := json.Marshal(h)
	if err != nil {
		panic("a handle that is no JSON: " + err.Error()) // of strings and numbers: cannot fail
	}
	return raw
}

// ReadHandle reads a handle of a version up to known into h. What a later release
// wrote is left to it (IsNewer).
func ReadHandle(raw json.RawMessage, service string, known int, h any) error {
	var head struct {
		Version int `json:"v"`
	}
	err := json.Unmarshal(raw, &head)
	switch {
	case err == nil && head.Version > known:
		return Newer(service+" handle", head.Version, known)
	case err == nil && head.Version < 1:
		err = fmt.Errorf("its version is %d", head.Version)
	case err == nil:
		err = json.Unmarshal(raw, h)
	}
	if err != nil {
		return StrangeHandle(service, err)
	}
	return nil
}

// StrangeHandle is the failure of a handle that says too little, or nothing that can
// be read. Nobody is asked with it.
func StrangeHandle(service string, cause error) *task.Failure {
	f := &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Cause: cause, Message: "the handle of the job is not one of " + service}
	if cause != nil {
		f.Detail = Scrub(cause.Error())
	}
	return f
}
