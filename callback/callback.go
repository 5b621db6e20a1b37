// Package callback takes in what providers call back. A callback is a hint: its job
// is asked after, by whoever works on the task, and nothing that it says is
// believed. What it can do besides is bring a lost call back: its address carries
// our own id of the attempt, and its body names the job.
package callback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// Path is where callbacks arrive: Path + provider + "/" + the attempt's key. What calls
// made by the release before are answered with arrives at FormerPath.
const (
	Path       = "/callbacks/"
	FormerPath = "/hooks/"
)

// maxBody bounds a callback: services repeat the whole request in theirs.
const maxBody = 1 << 20

// tasks is the part of the store that callbacks need.
type tasks interface {
	AttemptByKey(ctx context.Context, key string) (*task.Attempt, error)
	Get(ctx context.Context, id int64) (*task.Task, error)
	Record(ctx context.Context, f store.Fact) (bool, error)
}

// waker tells the worker that waits for a task that there is news.
type waker interface {
	Wake(ctx context.Context, id int64) error
}

// Handler takes callbacks at Path and FormerPath.
type Handler struct {
	Tasks    tasks
	Services provider.Services
	Queue    waker
	Log      zerolog.Logger
}

var (
	errUnknown = errors.New("there is no such call")
	errBody    = errors.New("the callback cannot be read")
	// Nobody here can verify it. The service calls again, and may then reach who can.
	errElsewhere = errors.New("this process is not configured for what the call went through")
)

// ServeHTTP takes one callback. A status of 5xx makes the service call again.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "providers POST here", http.StatusMethodNotAllowed)
		return
	}
	status, text := http.StatusOK, "ok"
	var f *task.Failure
	switch err := h.take(w, r); {
	case err == nil:
	case errors.Is(err, errUnknown):
		status, text = http.StatusNotFound, err.Error()
	case errors.As(err, &f) && f.Kind == task.Auth:
		status, text = http.StatusUnauthorized, "the signature is not the service's"
	case errors.As(err, &f), errors.Is(err, errBody):
		status, text = http.StatusBadRequest, errBody.Error()
	default:
		status, text = http.StatusServiceUnavailable, "not now"
		w.Header().Set("Retry-After", "60")
		if r.Context().Err() != nil {
			break // the service has hung up, and calls again
		}
		h.Log.Error().Err(err).Msg("a callback was not taken")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, text+"\n")
}

func (h *Handler) take(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	name, key, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, FormerPath), Path), "/")
	if _, err := uuid.Parse(key); err != nil {
		return errUnknown
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return errBody
	}
	a, err := h.Tasks.AttemptByKey(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return errUnknown
	case err != nil:
		return err
	case a.Provider != name:
		return errUnknown
	}
	handle, jobID, err := h.read(r.Header, body, a)
	if err != nil {
		h.Log.Warn().Int64("task", a.TaskID).Int("attempt", a.Number).Str("provider", name).Err(err).Msg("a callback was refused")
		return err
	}
	switch a.State {
	case task.AttemptSending, task.AttemptUnknown, task.AttemptRejected, task.AttemptFailed:
		if err := h.adopt(ctx, *a, handle, jobID); err != nil {
			return err
		}
	}
	if a.State == task.AttemptAccepted && a.FinishedAt != nil { // it was given up, and there is news of it
		if _, err := h.Tasks.Record(ctx, store.Reopened{Task: a.TaskID, Attempt: a.ID}); err != nil {
			return err
		}
	}
	if err := h.Queue.Wake(ctx, a.TaskID); err != nil {
		h.Log.Debug().Err(err).Msg("nobody was told of a callback") // the job is polled all the same
	}
	return nil
}

// read lets the adapter of the attempt's account read and verify the callback.
func (h *Handler) read(header http.Header, body []byte, a *task.Attempt) (json.RawMessage, string, error) {
	svc, ok := h.Services[a.Provider]
	if !ok {
		return nil, "", fmt.Errorf("%w: provider %s", errElsewhere, a.Provider)
	}
	account, ok := svc.Account(a.Account)
	switch {
	case !ok:
		return nil, "", fmt.Errorf("%w: account %s/%s", errElsewhere, a.Provider, a.Account)
	case !account.Callbacks: // here; it was on where the call was made, as it is at a process with other settings
		return nil, "", fmt.Errorf("%w: callbacks of account %s/%s are off", errElsewhere, a.Provider, a.Account)
	}
	reader, ok := account.Provider.(provider.CallbackReader)
	if !ok {
		return nil, "", errUnknown
	}
	return reader.ReadCallback(provider.Callback{Header: header, Body: body, Secret: account.CallbackSecret,
		Of: provider.Lost{Key: a.Key, Endpoint: a.Endpoint, SentAt: a.SentAt}})
}

// adopt gives a call whose answer is not known, or not yet, the handle of its job, and one of which a
// person has said how it ended: that it calls back is proof. The attempt's state is the guard, so
// that a call whose end the provider itself has said stays as it is. A task that has failed for it
// stays so until a worker has collected what the job brings, which buys nothing.
func (h *Handler) adopt(ctx context.Context, a task.Attempt, handle json.RawMessage, jobID string) error {
	t, err := h.Tasks.Get(ctx, a.TaskID)
	if err != nil {
		return err
	}
	was := a.State
	a.State, a.Handle = task.AttemptAccepted, string(handle)
	changed, err := h.Tasks.Record(ctx, store.Accepted{Held: t.Token(), Attempt: a, JobID: jobID})
	if err != nil || !changed || was == task.AttemptSending {
		return err
	}
	h.Log.Warn().Int64("task", a.TaskID).Int("attempt", a.Number).Str("was", string(was)).Msg("a lost call was found again: the provider called back")
	_, err = h.Tasks.Record(ctx, store.LearntLate{Task: a.TaskID})
	return err
}
