package worker_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker"
)

func TestComplete(t *testing.T) {
	inBubble(t, []claim{
		{"A committed row becomes a stored picture", storedPicture},
		{"Several pictures that lie at the provider are fetched in order", fetchedPictures},
		{"Fewer pictures than were asked for complete the task, which says so", func(r *rig) {
			r.start()
			for drew, want := range map[int]string{1: "the call asked for 2 pictures, and painter drew 1", 2: "", 3: ""} {
				all := [][]byte{pngOf(40, 30), pngOf(41, 30), pngOf(42, 30)}
				r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return drawn(all[:drew]...), nil }
				t := r.asksFor(task.Task{Request: task.Request{ImageCount: 2}})
				got := r.ends(t.ID, task.Completed)
				r.same(facts{"drew": drew, "ErrorMsg": got.ErrorMsg, "ErrorKind": got.ErrorKind, "len results": len(r.results(t.ID))},
					facts{"drew": drew, "ErrorMsg": want, "ErrorKind": task.Kind(""), "len results": drew})
			}
		}},
		{"A large picture has a thumbnail and a preview", func(r *rig) {
			r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return drawn(pngOf(1400, 700)), nil }
			r.start()
			t := r.asks()
			r.ends(t.ID, task.Completed)
			key := r.results(t.ID)[0].ThumbnailKey
			for small, side := range map[string]int{key: 512, picture.PreviewKey(key): 1280} {
				file, err := r.pictures.Open(r.Context(), small)
				r.check(err)
				m, _, err := image.DecodeConfig(file)
				file.Close()
				r.check(err)
				r.same(facts{"Width": m.Width, "Height": m.Height}, facts{"Width": side, "Height": side / 2})
			}
		}},
		{"How a picture came about is written into it where that is wanted", func(r *rig) {
			r.equip = func(w *worker.Worker) { w.Annotate = true }
			r.start()
			t := r.asksFor(task.Task{Request: task.Request{Prompt: "一座灯塔", Seed: new(int64(77))}})
			r.ends(t.ID, task.Completed)
			res := r.results(t.ID)[0]
			file, err := r.pictures.Open(r.Context(), res.StorageKey)
			r.check(err)
			defer file.Close()
			content, err := io.ReadAll(file)
			r.check(err)
			sum := sha256.Sum256(content)
			for _, want := range []string{"一座灯塔", "77", "painter", "brush"} {
				r.same(bytes.Contains(content, []byte(want)), true)
			}
			r.same(facts{"SHA256": res.SHA256, "FileSize": res.FileSize}, facts{"SHA256": hex.EncodeToString(sum[:]), "FileSize": int64(len(content))})
		}},
		{"A grid becomes its tiles, in their order", func(r *rig) {
			r.web = func(w http.ResponseWriter, _ *http.Request) { w.Write(pngOf(40, 20)) }
			r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
				return provider.Answer{Done: true, Outputs: []provider.Output{{URL: r.host + "/grid", Tiles: 2}}}, nil
			}
			r.start()
			t := r.asksFor(task.Task{Request: task.Request{ImageCount: 4}})
			done := r.ends(t.ID, task.Completed)
			var got []string
			for _, res := range r.results(t.ID) {
				got = append(got, fmt.Sprintf("%d:%dx%d %s", res.Position, res.Width, res.Height, res.StorageKey))
			}
			r.same(got, []string{"0:20x10 1/1-0.png", "1:20x10 1/1-1.png", "2:20x10 1/1-2.png", "3:20x10 1/1-3.png"})
			r.same(*done.CostMicros, int64(160_000))
		}},
		{"A grid that is none fails the task with that reason", func(r *rig) {
			answer := drawn(pngOf(41, 30))
			answer.Outputs[0].Tiles = 2
			badPicture(r, answer, "no grid of 2 x 2")
		}},
		{"A truncated picture fails the task with the picture's reason", func(r *rig) {
			badPicture(r, drawn(pngOf(40, 30)[:60]), "the PNG file of 60 bytes is incomplete")
		}},
		{"An answer without a picture fails the task", func(r *rig) {
			badPicture(r, provider.Answer{Done: true}, "painter answered without a picture")
		}},
		{"One bad picture of three leaves two and a warning", oneBadPicture},
		{"An answer of refused pictures alone ends its call, and a retry by hand makes another", allRefused},
		{"An expired address is renewed by one poll", expiredOnce},
		{"An address that stays expired is tried for its life, and its picture is not bought again", expiredForEver},
		{"A reply that is no JSON does not cost the picture", strangeReply},
		{"Twenty repetitions of one order are one call", repeated},
	})
}

func fetchedPictures(r *rig) {
	r.web = func(w http.ResponseWriter, req *http.Request) {
		var side int
		fmt.Sscanf(req.URL.Path, "/%d", &side)
		w.Write(pngOf(side, 10))
	}
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return at(r.host+"/11?signature=abc", r.host+"/12", r.host+"/13"), nil
	}
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 3}})
	done := r.ends(t.ID, task.Completed)
	var got []task.Result
	for _, res := range r.results(t.ID) {
		got = append(got, task.Result{Position: res.Position, Width: res.Width, SourceURL: res.SourceURL})
	}
	r.same(got, []task.Result{{Position: 0, Width: 11, SourceURL: r.host + "/11"}, {Position: 1, Width: 12, SourceURL: r.host + "/12"}, {Position: 2, Width: 13, SourceURL: r.host + "/13"}})
	r.same(facts{"Width": *done.Width, "CostMicros": *done.CostMicros}, facts{"Width": 11, "CostMicros": int64(120_000)})
}

func badPicture(r *rig, answer provider.Answer, reason string) {
	r.Helper()
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return answer, nil }
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	state := task.AttemptAnswered // whatever came was paid for, and stays to be collected
	if len(answer.Outputs) == 0 {
		state = task.AttemptFailed
	}
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID)}, facts{"ErrorKind": task.BadAnswer, "states": []task.AttemptState{state}})
	if !strings.Contains(failed.ErrorMsg, reason) {
		r.Errorf("the reason is %q", failed.ErrorMsg)
	}
	r.in(t.Ref(), queue.Archived)
	r.same(facts{"submits": r.painter.submits.Load(), "len results": len(r.results(t.ID))}, facts{"submits": int64(1), "len results": 0})
}

func oneBadPicture(r *rig) {
	answer := drawn(pngOf(11, 10), pngOf(40, 30)[:60], pngOf(13, 10))
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return answer, nil }
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 3}})
	done := r.ends(t.ID, task.Completed)
	if !strings.Contains(done.ErrorMsg, "picture 2 of 3 is missing") || done.ErrorKind != "" {
		r.Errorf("the warning is %q of kind %q", done.ErrorMsg, done.ErrorKind)
	}
	var positions []int
	for _, res := range r.results(t.ID) {
		positions = append(positions, res.Position)
	}
	r.same(positions, []int{0, 2})
}

func allRefused(r *rig) {
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		refused := &task.Failure{Kind: task.Moderated, Executed: task.NotExecuted, Message: "this one is refused"}
		return provider.Answer{Done: true, Outputs: []provider.Output{{Err: refused}}}, nil
	}
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID)}, facts{"ErrorKind": task.Moderated, "states": []task.AttemptState{task.AttemptFailed}})
	r.painter.submit = newPainter().submit
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
}

// expires serves pictures at addresses below /fresh only.
func expires(r *rig) {
	r.web = func(w http.ResponseWriter, req *http.Request) {
		if !strings.HasPrefix(req.URL.Path, "/fresh") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Write(pngOf(40, 30))
	}
}

func expiredOnce(r *rig) {
	expires(r)
	r.painter.accepts(func(_ context.Context, n int) (provider.Answer, error) {
		if n == 1 {
			return at(r.host + "/old"), nil
		}
		return at(r.host + "/fresh"), nil
	})
	r.start()
	t := r.asks()
	r.ends(t.ID, task.Completed)
	r.same(r.results(t.ID)[0].SourceURL, r.host+"/fresh")
	r.same(facts{"submits": r.painter.submits.Load(), "polls": r.painter.polls.Load()}, facts{"submits": int64(1), "polls": int64(2)})
}

func expiredForEver(r *rig) {
	r.painter.can.AddressLife = 4 * time.Minute
	expires(r)
	r.painter.accepts(func(_ context.Context, n int) (provider.Answer, error) { return at(r.host + "/old"), nil })
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID)}, facts{"ErrorKind": task.Expired, "states": []task.AttemptState{task.AttemptAnswered}})
	r.passes(20 * time.Second)
	r.same(r.painter.submits.Load(), int64(1))
}

func strangeReply(r *rig) {
	answer := drawn(pngOf(40, 30))
	answer.Raw = json.RawMessage(`{"model":`)
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return answer, nil }
	r.start()
	r.same(r.ends(r.asks().ID, task.Completed).APIResponse, "")
}

func hundred(r *rig) {
	r.start()
	var tasks []*task.Task
	want := make(map[string]int)
	for i := range 100 {
		t := &task.Task{Request: task.Request{Provider: "painter", Prompt: fmt.Sprint("lighthouse ", i), Priority: task.Priority(i%3 - 1)}}
		tasks, want[t.Prompt] = append(tasks, t), 1
	}
	_, err := r.client.EnqueueMany(r.Context(), tasks)
	r.check(err)
	for _, t := range tasks {
		r.ends(t.ID, task.Completed)
	}
	r.same(r.painter.prompts(), want)
}

func storedPicture(r *rig) {
	data := pngOf(600, 300)
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return drawn(data), nil }
	r.start()
	t := r.asks()
	done := r.ends(t.ID, task.Completed)

	sum := sha256.Sum256(data)
	results := r.results(t.ID)
	r.same(len(results), 1)
	key := fmt.Sprintf("%d/%d-0.png", t.ID, results[0].AttemptID)
	thumb := fmt.Sprintf("%d/%d-0.thumb.jpg", t.ID, results[0].AttemptID)
	r.same(facts{
		"SHA256": results[0].SHA256, "StorageKey": results[0].StorageKey, "ThumbnailKey": results[0].ThumbnailKey,
		"ContentType": results[0].ContentType, "Width": results[0].Width, "Model": results[0].Model,
	}, facts{"SHA256": hex.EncodeToString(sum[:]), "StorageKey": key, "ThumbnailKey": thumb, "ContentType": "image/png", "Width": 600, "Model": "brush"})
	r.same(bytes.Equal(r.stored(key), data), true)
	r.same(len(r.stored(thumb)) > 0, true)
	onDisk, err := os.ReadFile(done.LocalPath)
	r.check(err)
	r.same(bytes.Equal(onDisk, data), true)
	r.same(facts{
		"ImageURL": done.ImageURL, "Width": *done.Width, "Height": *done.Height, "CostMicros": *done.CostMicros, "Currency": done.Currency,
		"Progress": done.Progress, "APIResponse": done.APIResponse, "ErrorMsg": done.ErrorMsg,
	}, facts{
		"ImageURL": "http://localhost/pictures/" + key, "Width": 600, "Height": 300, "CostMicros": int64(40_000), "Currency": "USD",
		"Progress": 100, "APIResponse": `{"model":"brush"}`, "ErrorMsg": "",
	})
	a := r.attempts(t.ID)[0]
	r.same(facts{
		"State": a.State, "Number": a.Number, "Account": a.Account, "Endpoint": a.Endpoint, "ProviderRequestID": a.ProviderRequestID,
		"HTTPStatus": *a.HTTPStatus, "CostMicros": *a.CostMicros, "PriceVersion": a.PriceVersion, "Fence": a.Fence,
	}, facts{
		"State": task.AttemptSucceeded, "Number": 1, "Account": "main", "Endpoint": "/draw", "ProviderRequestID": "req-1",
		"HTTPStatus": 200, "CostMicros": int64(40_000), "PriceVersion": "2026-01", "Fence": int64(1),
	})
	r.same(r.painter.calls[0].Key, a.Key)
	r.in(t.Ref(), queue.Absent)
	r.passes(20 * time.Second)
	r.same(r.painter.submits.Load(), int64(1))
}

func repeated(r *rig) {
	r.start()
	var group sync.WaitGroup
	orders := make([]task.Task, 20)
	for i := range orders {
		orders[i] = task.Task{Request: task.Request{Provider: "painter", Prompt: "a lighthouse", IdempotencyKey: "order-1"}}
		group.Go(func() {
			if _, err := r.client.Enqueue(r.Context(), &orders[i]); err != nil {
				r.Error(err)
			}
		})
	}
	group.Wait()
	r.ends(orders[0].ID, task.Completed)
	r.passes(10 * time.Second)
	r.same(r.painter.submits.Load(), int64(1))
}
