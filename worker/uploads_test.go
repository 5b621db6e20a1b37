package worker_test

import (
	"context"
	"net/http"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// uploads is a service that takes input pictures in a request of their own.
type uploads struct {
	*painter
	got  []string
	fail error
}

func (u *uploads) Upload(_ context.Context, picture string) (string, error) {
	if err := u.fail; err != nil {
		u.fail = nil
		return "", err
	}
	u.got = append(u.got, picture)
	return "upload-" + string(rune('0'+len(u.got))), nil
}

func (r *rig) takesUploads(fail error) *uploads {
	u := &uploads{painter: r.painter, fail: fail}
	r.painter.can.Inputs = provider.ByUpload
	r.svc.Accounts[0].Provider = u
	return u
}

func uploadedInput(r *rig) {
	u := r.takesUploads(nil)
	r.web = func(w http.ResponseWriter, _ *http.Request) { w.Write(pngOf(10, 10)) }
	given := r.gives()
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{InputImageURL: dataURL(pngOf(2, 2)), ReferenceImages: list(r.host + "/1")}})
	r.ends(t.ID, task.Completed)
	r.same(facts{"given": *given, "got": u.got}, facts{"given": []string{"upload-1", "upload-2"}, "got": []string{dataURL(pngOf(2, 2)), dataURL(pngOf(10, 10))}})
}

func failedUpload(r *rig) {
	u := r.takesUploads(&task.Failure{Kind: task.Unavailable, Executed: task.Unknown, Message: "no answer"})
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{InputImageURL: dataURL(pngOf(2, 2))}})
	r.same(r.ends(t.ID, task.Completed).FailedTries, 1)
	r.same(facts{"len got": len(u.got), "submits": r.painter.submits.Load()}, facts{"len got": 1, "submits": int64(1)})
}

func fullStorage(r *rig) {
	r.web = func(w http.ResponseWriter, _ *http.Request) { w.Write(pngOf(10, 10)) }
	r.pictures.broken.Store(true)
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{InputImageURL: r.host + "/1"}})
	r.until("it waits", func() bool { return r.get(t.ID).Waits > 0 })
	r.same(r.painter.submits.Load(), int64(0))
	r.pictures.broken.Store(false)
	r.ends(t.ID, task.Completed)
}
