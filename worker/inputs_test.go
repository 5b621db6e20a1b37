package worker_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker"
)

func TestInputs(t *testing.T) {
	inBubble(t, []claim{
		{"An input picture is copied once, and sent from the copy when its address has expired", copiedInput},
		{"Several input pictures keep their order", orderedInputs},
		{"A picture of ours is taken from storage and nobody is asked", ownInput},
		{"An address of ours without a picture fails the task", func(r *rig) {
			r.refusedInput(task.Task{Request: task.Request{InputImageURL: "http://localhost/pictures/9/9-0.png"}}, "the input picture: is an address of ours")
		}},
		{"An address that shows no picture fails the task before anything is bought", func(r *rig) {
			r.web = func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>log in</html>")) }
			r.refusedInput(task.Task{Request: task.Request{InputImageURL: r.host + "/1"}}, "an HTML page")
		}},
		{"An address that has expired fails the task, which names it", func(r *rig) {
			r.web = func(w http.ResponseWriter, req *http.Request) {
				if req.URL.Path == "/2" {
					http.NotFound(w, req)
					return
				}
				w.Write(pngOf(10, 10))
			}
			r.refusedInput(task.Task{Request: task.Request{InputImageURL: r.host + "/1", ReferenceImages: list(r.host + "/2")}}, "input picture 2 of 2: the picture cannot be downloaded")
		}},
		{"An address that cannot be reached now is tried again and nothing is bought meanwhile", slowInput},
		{"A service that takes uploads is given each picture once", uploadedInput},
		{"An upload that fails buys nothing and is tried again", failedUpload},
		{"A service that fetches is given the address where our storage lends nothing", func(r *rig) {
			r.painter.can.Inputs = provider.ByURL
			r.sentInputs(task.Task{Request: task.Request{InputImageURL: r.host + "/1?sig=a%2Fb"}}, r.host+"/1?sig=a%2Fb")
		}},
		{"A service that fetches is lent our copy where our storage can", func(r *rig) {
			r.painter.can.Inputs = provider.ByURL
			r.equip = func(w *worker.Worker) { w.Pictures = lender{r.pictures} }
			r.sentInputs(task.Task{Request: task.Request{InputImageURL: r.host + "/1"}}, "https://lent.test/1/input-0.png")
		}},
		{"A data URL is lent too", func(r *rig) {
			r.painter.can.Inputs = provider.ByURL
			r.equip = func(w *worker.Worker) { w.Pictures = lender{r.pictures} }
			r.sentInputs(task.Task{Request: task.Request{InputImageURL: dataURL(pngOf(10, 10))}}, "https://lent.test/1/input-0.png")
		}},
		{"A data URL for a service that only fetches is refused where nothing can be lent", func(r *rig) {
			r.painter.can.Inputs = provider.ByURL
			r.refusedInput(task.Task{Request: task.Request{InputImageURL: dataURL(pngOf(10, 10))}}, "painter takes addresses only")
		}},
		{"A picture that is too large for the service is refused", func(r *rig) {
			r.painter.can.Inline = 50
			r.refusedInput(task.Task{Request: task.Request{InputImageURL: dataURL(pngOf(40, 30))}}, "painter takes up to 50")
		}},
		{"A picture that is too large is scaled down where the task allows it", fittedInput},
		{"Where a picture was taken reaches nobody", strippedInput},
		{"A picture that is too large to go along stays at its address", func(r *rig) {
			noise := noisy(1500)
			r.web = func(w http.ResponseWriter, _ *http.Request) { w.Write(noise) }
			r.sentInputs(task.Task{Request: task.Request{InputImageURL: r.host + "/big"}}, r.host+"/big")
		}},
		{"Storage that is full makes a task wait and buys nothing", fullStorage},
	})
}

func list(urls ...string) string {
	raw, err := json.Marshal(urls)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func dataURL(b []byte) string { return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b) }

// noisy is a PNG that hardly shrinks: about four bytes a pixel.
func noisy(side int) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, side, side))
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range m.Pix {
		m.Pix[i] = byte(rnd.Uint32())
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// lender is a store that lends its pictures.
type lender struct{ picture.Lister }

func (lender) Origin() string { return "http://lent.test" }

func (lender) Presign(_ context.Context, key string, _ time.Duration) (string, error) {
	return "https://lent.test/" + key, nil
}

func fittedInput(r *rig) {
	large := noisy(600)
	r.painter.can.Inline = 300_000
	given := r.gives()
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{InputImageURL: dataURL(large), FitInputs: new(true)}})
	r.ends(t.ID, task.Completed)
	_, content, ok := provider.SplitDataURL((*given)[0])
	if size := base64.StdEncoding.DecodedLen(len(content)); !ok || size > 300_100 || size < 1000 {
		r.Errorf("the service was given %d bytes of %d", size, len(large))
	}
}

func strippedInput(r *rig) {
	r.web = func(w http.ResponseWriter, _ *http.Request) { w.Write(withPlace(pngOf(10, 10))) }
	given := r.gives()
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{InputImageURL: r.host + "/photo"}})
	r.ends(t.ID, task.Completed)
	r.same(*given, []string{dataURL(pngOf(10, 10))})
	h, err := r.tasks.History(r.Context(), t.ID)
	r.check(err)
	stored, err := r.pictures.Open(r.Context(), h.Inputs[0].StorageKey)
	r.check(err)
	defer stored.Close()
	content, err := io.ReadAll(stored)
	r.check(err)
	sum := sha256.Sum256(content)
	r.same(facts{"content is the same": bytes.Equal(content, pngOf(10, 10)), "SHA256": h.Inputs[0].SHA256, "FileSize": h.Inputs[0].FileSize},
		facts{"content is the same": true, "SHA256": hex.EncodeToString(sum[:]), "FileSize": int64(len(content))})
}

// withPlace is the PNG with a text in it that says where it was taken.
func withPlace(data []byte) []byte {
	const header = 33 // signature and IHDR
	text := []byte("tEXtGPS\x0052N 13E")
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(text)-4))
	chunk = binary.BigEndian.AppendUint32(append(chunk, text...), crc32.ChecksumIEEE(text))
	return slices.Concat(data[:header], chunk, data[header:])
}

// gives makes the painter note the inputs of each call.
func (r *rig) gives() *[]string {
	given := &[]string{}
	r.painter.seen = func(req provider.Request) { *given = req.Inputs }
	return given
}

// sentInputs runs a task of one input and checks what the service was given.
func (r *rig) sentInputs(t task.Task, want string) {
	r.Helper()
	if r.web == nil || strings.HasPrefix(t.InputImageURL, "data:") || strings.HasSuffix(t.InputImageURL, "/1") || strings.Contains(t.InputImageURL, "?sig") {
		r.web = func(w http.ResponseWriter, _ *http.Request) { w.Write(pngOf(10, 10)) }
	}
	given := r.gives()
	r.start()
	r.ends(r.asksFor(t).ID, task.Completed)
	r.same(*given, []string{want})
}

// refusedInput runs a task that must fail as invalid, with that reason and without a call.
func (r *rig) refusedInput(t task.Task, reason string) {
	r.Helper()
	r.start()
	stored := r.asksFor(t)
	failed := r.ends(stored.ID, task.Failed)
	if !strings.Contains(failed.ErrorMsg, reason) || failed.ErrorKind != task.Invalid && failed.ErrorKind != task.Unsupported {
		r.Errorf("%s: %q", failed.ErrorKind, failed.ErrorMsg)
	}
	r.same(facts{"submits": r.painter.submits.Load(), "len states": len(r.states(stored.ID))}, facts{"submits": int64(0), "len states": 0})
}

func copiedInput(r *rig) {
	var asked atomic.Int64
	r.web = func(w http.ResponseWriter, req *http.Request) {
		if asked.Add(1) > 1 {
			http.NotFound(w, req)
			return
		}
		w.Write(pngOf(10, 10))
	}
	r.painter.can.Inputs = provider.ByData
	given := r.gives()
	r.painter.submit = func(_ context.Context, c provider.Call) (provider.Answer, error) {
		if c.Number == 1 {
			return fails(task.Unavailable, task.NotExecuted)
		}
		return drawn(pngOf(40, 30)), nil
	}
	var reads counted
	r.equip = func(w *worker.Worker) {
		reads.Journal = w.Journal
		w.Journal = &reads
	}
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{InputImageURL: r.host + "/1"}})
	r.ends(t.ID, task.Completed)
	r.same(*given, []string{dataURL(pngOf(10, 10))})
	r.same(asked.Load(), int64(1))
	r.same(reads.histories.Load(), int64(2)) // one in each step
}

// counted is a journal that counts how often the history of a task is read.
type counted struct {
	worker.Journal
	histories atomic.Int64
}

func (c *counted) History(ctx context.Context, id int64) (*task.History, error) {
	c.histories.Add(1)
	return c.Journal.History(ctx, id)
}

func orderedInputs(r *rig) {
	r.web = func(w http.ResponseWriter, req *http.Request) { w.Write(pngOf(int(req.URL.Path[1]-'0'), 10)) }
	given := r.gives()
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{InputImageURL: r.host + "/1", ReferenceImages: list(dataURL(pngOf(2, 10)), r.host+"/3")}})
	r.ends(t.ID, task.Completed)
	r.same(*given, []string{dataURL(pngOf(1, 10)), dataURL(pngOf(2, 10)), dataURL(pngOf(3, 10))})
}

func ownInput(r *rig) {
	given := r.gives()
	r.start()
	first := r.ends(r.asks().ID, task.Completed)
	r.web = func(http.ResponseWriter, *http.Request) { r.Error("somebody was asked") }
	t := r.asksFor(task.Task{Request: task.Request{InputImageURL: first.ImageURL}})
	r.ends(t.ID, task.Completed)
	r.same(*given, []string{dataURL(pngOf(40, 30))})
}

func slowInput(r *rig) {
	var asked atomic.Int64
	r.web = func(w http.ResponseWriter, req *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Write(pngOf(10, 10))
	}
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{InputImageURL: r.host + "/1"}})
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"FailedTries": done.FailedTries, "submits": r.painter.submits.Load()}, facts{"FailedTries": 2, "submits": int64(1)})
}
