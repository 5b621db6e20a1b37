package worker_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker"
)

func TestStrays(t *testing.T) {
	inBubble(t, []claim{
		{"A truncated picture is kept as it came, and a retry by hand looks at it again and does not buy", truncatedIsKept},
		{"A picture of a kind that cannot be decoded completes the task as it came", kindIsKept},
		{"A truncated download is kept, and fetched again until the life of its address is over", truncatedDownload},
		{"Half a picture that is whole before its address is dead takes the place of its half", halfThenWhole},
		{"Half a picture stays ours when its address is dead before it is whole", halfThenDead},
		{"A picture that is longer than is accepted fails at once and is not fetched again", tooLong},
		{"A damaged picture is fetched again for two minutes, and kept", damagedDownload},
		{"A retry by hand looks at the address again and not only at half a picture that is kept", wholeByNow},
	})
}

func truncatedIsKept(r *rig) {
	half := pngOf(40, 30)[:60]
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return drawn(half), nil }
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	a := r.attempts(t.ID)[0]
	kept := a.RawFileList()
	r.same(len(kept), 1)
	r.same(facts{
		"ErrorKind": failed.ErrorKind, "State": a.State, "ContentType": kept[0].ContentType, "FileSize": kept[0].FileSize,
		"ErrorMsg names StorageKey": strings.Contains(failed.ErrorMsg, kept[0].StorageKey),
		"Answer says bytes":         strings.Contains(a.Answer, "bytes"),
	}, facts{
		"ErrorKind": task.BadAnswer, "State": task.AttemptAnswered, "ContentType": "image/png", "FileSize": int64(60),
		"ErrorMsg names StorageKey": true, "Answer says bytes": false,
	})
	r.same(bytes.Equal(r.stored(kept[0].StorageKey), half), true)

	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	failed = r.ends(t.ID, task.Failed)
	r.same(facts{"Delivery": failed.Delivery, "submits": r.painter.submits.Load(), "len RawFileList": len(r.attempts(t.ID)[0].RawFileList())},
		facts{"Delivery": 1, "submits": int64(1), "len RawFileList": 1})

	r.painter.submit = newPainter().submit
	_, err = r.client.BuyAgain(r.Context(), failed.Seen(), task.CollectableCalls(r.attempts(failed.ID))...)
	r.check(err)
	r.ends(t.ID, task.Completed)
	files, err := r.tasks.Files(r.Context(), []int64{t.ID})
	r.check(err)
	r.same(facts{
		"submits": r.painter.submits.Load(), "Open": files[t.ID].Open,
		"Keys names StorageKey": strings.Contains(strings.Join(files[t.ID].Keys, " "), kept[0].StorageKey),
	}, facts{"submits": int64(2), "Open": false, "Keys names StorageKey": true})
}

func kindIsKept(r *rig) {
	for _, inline := range []bool{true, false} {
		tiff := append([]byte("II*\x00"), bytes.Repeat([]byte{0, 7, 200}, 300)...)
		r.web = func(w http.ResponseWriter, _ *http.Request) { w.Write(tiff) }
		r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
			if inline {
				return drawn(tiff), nil
			}
			return at(r.host + "/1"), nil
		}
		if r.started == 0 {
			r.start()
		}
		t := r.asks()
		done := r.ends(t.ID, task.Completed)
		res := r.results(t.ID)[0]
		r.same(facts{
			"ContentType": res.ContentType, "FileSize": res.FileSize, "Width": res.Width, "ThumbnailKey": res.ThumbnailKey,
			"ErrorKind":                        done.ErrorKind,
			"ErrorMsg says is kept as it came": strings.Contains(done.ErrorMsg, "is kept as it came: easel cannot look into image/tiff"),
		}, facts{
			"ContentType": "image/tiff", "FileSize": int64(len(tiff)), "Width": 0, "ThumbnailKey": "", "ErrorKind": task.Kind(""),
			"ErrorMsg says is kept as it came": true,
		})
		r.same(bytes.Equal(r.stored(res.StorageKey), tiff), true)
	}
	r.same(r.painter.submits.Load(), int64(2))
}

func truncatedDownload(r *rig) {
	half := pngOf(40, 30)[:60]
	r.painter.can.AddressLife = 4 * time.Minute
	var gets atomic.Int64
	r.web = func(w http.ResponseWriter, _ *http.Request) { gets.Add(1); w.Write(half) }
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return at(r.host + "/1"), nil }
	r.start()
	t := r.asks()
	r.passes(damagedFor + 30*time.Second)
	kept := r.attempts(t.ID)[0].RawFileList()
	r.same(facts{"Status": r.get(t.ID).Status, "len kept": len(kept)}, facts{"Status": task.Pending, "len kept": 1})
	r.same(bytes.Equal(r.stored(kept[0].StorageKey), half), true)
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "len RawFileList": len(r.attempts(t.ID)[0].RawFileList()), "submits": r.painter.submits.Load()},
		facts{"ErrorKind": task.Expired, "len RawFileList": 1, "submits": int64(1)})
	if n := gets.Load(); n < 6 || n > 30 || !strings.Contains(failed.ErrorMsg, "lies as it came at "+kept[0].StorageKey) {
		r.Errorf("it was asked for %d times in four minutes, and says %q", n, failed.ErrorMsg)
	}
}

func halfThenWhole(r *rig) {
	half := pngOf(40, 30)[:90]
	var gets atomic.Int64
	r.web = func(w http.ResponseWriter, _ *http.Request) {
		w.Write(half[:len(half)-int(gets.Add(1))%2*10]) // of two lengths, in turn
	}
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return at(r.host + "/1"), nil }
	r.start()
	t := r.asks()
	r.passes(damagedFor + 30*time.Second)
	r.same(facts{"Status": r.get(t.ID).Status, "gets > 5": gets.Load() > 5, "FileSize": r.attempts(t.ID)[0].RawFileList()[0].FileSize},
		facts{"Status": task.Pending, "gets > 5": true, "FileSize": int64(len(half))})
	r.serves(func(w http.ResponseWriter, _ *http.Request) { w.Write(pngOf(40, 30)) })
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"ErrorMsg": done.ErrorMsg, "Width": *done.Width, "submits": r.painter.submits.Load(), "len RawFileList": len(r.attempts(t.ID)[0].RawFileList())},
		facts{"ErrorMsg": "", "Width": 40, "submits": int64(1), "len RawFileList": 0})
}

func halfThenDead(r *rig) {
	r.painter.can.AddressLife = 3 * time.Minute
	half := pngOf(40, 30)[:60]
	r.web = func(w http.ResponseWriter, _ *http.Request) { w.Write(half) }
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return at(r.host + "/1"), nil }
	r.start()
	t := r.asks()
	r.passes(time.Minute)
	r.serves(http.NotFound)
	r.passes(time.Minute)
	r.same(r.get(t.ID).Status, task.Pending)
	failed := r.ends(t.ID, task.Failed)
	kept := r.attempts(t.ID)[0].RawFileList()
	r.same(facts{"ErrorKind": failed.ErrorKind, "len kept": len(kept), "ErrorMsg names StorageKey": strings.Contains(failed.ErrorMsg, kept[0].StorageKey)},
		facts{"ErrorKind": task.Expired, "len kept": 1, "ErrorMsg names StorageKey": true})
	r.same(bytes.Equal(r.stored(kept[0].StorageKey), half), true)
}

func tooLong(r *rig) {
	r.painter.can.AddressLife = 4 * time.Minute
	r.equip = func(w *worker.Worker) { w.Checker = &codec.Checker{Limits: codec.Limits{Bytes: 50}} }
	var gets atomic.Int64
	r.web = func(w http.ResponseWriter, _ *http.Request) { gets.Add(1); w.Write(pngOf(40, 30)) }
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return at(r.host + "/1"), nil }
	r.start()
	failed := r.ends(r.asks().ID, task.Failed)
	r.same(facts{
		"ErrorKind":                              failed.ErrorKind,
		"ErrorMsg says larger than the 50 bytes": strings.Contains(failed.ErrorMsg, "larger than the 50 bytes"),
		"states":                                 r.states(failed.ID), "gets": gets.Load(),
	}, facts{"ErrorKind": task.BadAnswer, "ErrorMsg says larger than the 50 bytes": true, "states": []task.AttemptState{task.AttemptAnswered}, "gets": int64(1)})
}

func damagedDownload(r *rig) {
	damaged := pngOf(40, 30)
	damaged[60] ^= 0xff
	var gets atomic.Int64
	r.web = func(w http.ResponseWriter, _ *http.Request) { gets.Add(1); w.Write(damaged) }
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return at(r.host + "/1"), nil }
	r.start()
	t := r.asks()
	began := time.Now()
	failed := r.ends(t.ID, task.Failed)
	if took := time.Since(began); took < damagedFor || took > 2*damagedFor {
		r.Errorf("it was given up after %s", took)
	}
	kept := r.attempts(t.ID)[0].RawFileList()
	r.same(facts{"ErrorKind": failed.ErrorKind, "len kept": len(kept), "gets > 3": gets.Load() > 3, "submits": r.painter.submits.Load()},
		facts{"ErrorKind": task.BadAnswer, "len kept": 1, "gets > 3": true, "submits": int64(1)})
	r.same(bytes.Equal(r.stored(kept[0].StorageKey), damaged), true)
}

// damagedFor is for as long a damaged file may get better.
const damagedFor = 2 * time.Minute

func wholeByNow(r *rig) {
	r.painter.can.AddressLife = 3 * time.Minute
	r.web = func(w http.ResponseWriter, _ *http.Request) { w.Write(pngOf(40, 30)[:60]) }
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return at(r.host + "/1"), nil }
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	r.serves(http.NotFound)
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	failed = r.ends(t.ID, task.Failed)
	r.same(facts{"Delivery": failed.Delivery, "ErrorKind": failed.ErrorKind, "len RawFileList": len(r.attempts(t.ID)[0].RawFileList())},
		facts{"Delivery": 1, "ErrorKind": task.Expired, "len RawFileList": 1})
	r.serves(func(w http.ResponseWriter, _ *http.Request) { w.Write(pngOf(40, 30)) })
	_, err = r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(facts{"Width": r.results(t.ID)[0].Width, "submits": r.painter.submits.Load()}, facts{"Width": 40, "submits": int64(1)})
}
