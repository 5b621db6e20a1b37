package worker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

func TestCollecting(t *testing.T) {
	claims := []claim{
		{"With the policy retry, a picture that cannot be had is not bought again either", policyBuysNothing},
		{"The life of its addresses, which the service knows, bounds the trying", boundedByLife},
		{"The task's own deadline bounds it too", boundedByDeadline},
		{"A picture that is waited for holds no place", holdsNoPlace},
		{"A picture that is there within a moment is fetched by the same claim, and does not stand in line again", fetchedInPlace},
		{"What is there is fetched once, while another picture is waited for", fetchedOnce},
		{"What is in our storage is not fetched again because the next picture found it full", storedBeforeFull},
		{"A person's word buys again, and nothing else does", boughtAgain},
		{"Run in the dashboard collects and does not buy", runCollects},
	}
	for _, o := range obstacles {
		claims = append(claims, claim{o.name + ", then the picture is there: it is fetched and not bought again", func(r *rig) { passesBy(r, o) }})
	}
	inBubble(t, claims)
}

// obstacle keeps a picture from being fetched, for a time.
type obstacle struct {
	name string
	web  func(w http.ResponseWriter, req *http.Request) error
}

func status(code int) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(code); return nil }
}

func body(text string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error { _, err := io.WriteString(w, text); return err }
}

// refusal is what a guard of addresses says.
type refusal struct{ error }

func (refusal) Refusal() {}

var obstacles = []obstacle{
	{name: "404", web: status(404)}, {name: "403", web: status(403)}, {name: "410", web: status(410)}, {name: "401", web: status(401)},
	{name: "400", web: status(400)}, {name: "429", web: status(429)}, {name: "502", web: status(502)},
	{name: "An HTML page", web: body("<!doctype html><html>please wait</html>")}, {name: "Nothing", web: body("")}, {name: "JSON", web: body(`{"status":"processing"}`)},
	{name: "Half a picture", web: body(string(pngOf(40, 30)[:60]))},
	{name: "A name that is not known", web: func(http.ResponseWriter, *http.Request) error { return errors.New("no such host") }},
	{name: "An address that is not allowed", web: func(http.ResponseWriter, *http.Request) error {
		return refusal{errors.New("10.0.0.7 is not public; EASEL_FETCH_ALLOW names those that are allowed")}
	}},
}

// obstructed is an http.RoundTripper before that of the rig.
type obstructed struct {
	next http.RoundTripper
	err  func(req *http.Request) error
}

func (o obstructed) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := o.err(req); err != nil {
		return nil, err
	}
	return o.next.RoundTrip(req)
}

// obstruct serves a picture at every address, and the obstacle while it is there.
func (r *rig) obstruct(there *atomic.Bool, o obstacle, gets *atomic.Int64) {
	r.http = &http.Client{Transport: obstructed{r.http.Transport, func(req *http.Request) error {
		gets.Add(1)
		if !there.Load() {
			return nil
		}
		return o.web(discard{}, req)
	}}}
	r.web = func(w http.ResponseWriter, req *http.Request) {
		if there.Load() {
			_ = o.web(w, req)
			return
		}
		w.Write(pngOf(40, 30))
	}
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// dead makes all addresses answer 404 until they are alive.
func (r *rig) dead() (gets *atomic.Int64, alive func()) {
	there := &atomic.Bool{}
	there.Store(true)
	gets = &atomic.Int64{}
	r.obstruct(there, obstacles[0], gets)
	r.painter.submit = func(_ context.Context, c provider.Call) (provider.Answer, error) {
		return at(fmt.Sprintf("%s/%d", r.host, c.Number)), nil
	}
	return gets, func() { there.Store(false) }
}

func passesBy(r *rig, o obstacle) {
	var gets atomic.Int64
	there := &atomic.Bool{}
	there.Store(true)
	r.obstruct(there, o, &gets)
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return at(r.host + "/1"), nil }
	r.start()
	t := r.asks()
	r.passes(20 * time.Second)
	waiting := r.get(t.ID)
	r.same(facts{
		"Status": waiting.Status, "states": r.states(t.ID),
		"ErrorMsg says not bought again": strings.Contains(waiting.ErrorMsg, "not bought again"), "gets >= 3": gets.Load() >= 3,
	}, facts{"Status": task.Pending, "states": []task.AttemptState{task.AttemptAnswered}, "ErrorMsg says not bought again": true, "gets >= 3": true})
	there.Store(false)
	done := r.ends(t.ID, task.Completed)
	r.same(facts{
		"FailedTries": done.FailedTries, "Waits": done.Waits, "ErrorMsg": done.ErrorMsg, "CostMicros": *done.CostMicros,
		"submits": r.painter.submits.Load(), "len results": len(r.results(t.ID)),
	}, facts{"FailedTries": 0, "Waits": 0, "ErrorMsg": "", "CostMicros": int64(40_000), "submits": int64(1), "len results": 1})
}

func policyBuysNothing(r *rig) {
	r.svc.Retry.OnUnknown = task.Resend
	r.painter.can.AddressLife = 4 * time.Minute
	gets, alive := r.dead()
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID), "CostMicros": *failed.CostMicros},
		facts{"ErrorKind": task.Expired, "states": []task.AttemptState{task.AttemptAnswered}, "CostMicros": int64(40_000)})
	if n := gets.Load(); n < 10 || n > 40 {
		r.Errorf("the address was asked %d times in four minutes", n)
	}
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	failed = r.ends(t.ID, task.Failed)
	r.same(facts{"Delivery": failed.Delivery, "states": r.states(t.ID)}, facts{"Delivery": 1, "states": []task.AttemptState{task.AttemptAnswered}})
	alive()
	_, err = r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(t.ID)}, facts{"submits": int64(1), "states": []task.AttemptState{task.AttemptSucceeded}})
}

func boundedByLife(r *rig) {
	r.painter.can.AddressLife = 4 * time.Minute
	r.dead()
	r.start()
	t := r.asks()
	began := time.Now()
	failed := r.ends(t.ID, task.Failed)
	if took := time.Since(began); took < 4*time.Minute || took > 4*time.Minute+10*time.Second {
		r.Errorf("it was given up after %s", took)
	}
	for _, text := range []string{"404", "A retry fetches it again and does not pay for it twice"} {
		r.same(facts{"text": text, "ErrorMsg names text": strings.Contains(failed.ErrorMsg, text)}, facts{"text": text, "ErrorMsg names text": true})
	}
	r.in(failed.Ref(), queue.Archived)
}

func boundedByDeadline(r *rig) {
	r.painter.can.AddressLife = 24 * time.Hour
	r.dead()
	r.start()
	began := time.Now()
	t := r.asksFor(task.Task{Request: task.Request{DeadlineAt: new(began.Add(3 * time.Minute))}})
	failed := r.ends(t.ID, task.Failed)
	if took := time.Since(began); took < 3*time.Minute-time.Second || took > 3*time.Minute+10*time.Second {
		r.Errorf("it was given up after %s", took)
	}
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID), "submits": r.painter.submits.Load()},
		facts{"ErrorKind": task.Deadline, "states": []task.AttemptState{task.AttemptAnswered}, "submits": int64(1)})
}

func holdsNoPlace(r *rig) {
	r.svc.Concurrency = 1
	_, alive := r.dead()
	addresses := r.painter.submit
	r.painter.submit = func(ctx context.Context, c provider.Call) (provider.Answer, error) {
		if strings.Contains(string(c.Body), "quick") {
			return drawn(pngOf(4, 3)), nil
		}
		return addresses(ctx, c)
	}
	r.start()
	t := r.asks()
	r.until("it waits for its picture", func() bool { return r.get(t.ID).Status == task.Pending && len(r.attempts(t.ID)) == 1 })
	r.passes(time.Minute)
	began := time.Now()
	r.ends(r.asksFor(task.Task{Request: task.Request{Prompt: "quick"}}).ID, task.Completed)
	if took := time.Since(began); took > 5*time.Second {
		r.Errorf("another task waited for %s", took)
	}
	alive()
	r.ends(t.ID, task.Completed)
}

func fetchedOnce(r *rig) {
	var there, gone atomic.Int64
	r.web = func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/2" && gone.Add(1) < 4 {
			w.WriteHeader(404)
			return
		}
		if req.URL.Path == "/1" {
			there.Add(1)
		}
		w.Write(pngOf(40, 30))
	}
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return at(r.host+"/1", r.host+"/2"), nil
	}
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 2}})
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"there": there.Load(), "gone": gone.Load(), "ErrorMsg": done.ErrorMsg}, facts{"there": int64(1), "gone": int64(4), "ErrorMsg": ""})
	for i, res := range r.results(t.ID) {
		r.same(facts{"Position": res.Position, "SourceURL": res.SourceURL}, facts{"Position": i, "SourceURL": fmt.Sprintf("%s/%d", r.host, i+1)})
	}
}

// nearlyFull refuses every second picture of an answer.
type nearlyFull struct {
	picture.Lister
	full atomic.Bool
}

func (n *nearlyFull) Put(ctx context.Context, key string, r io.Reader, contentType string) error {
	if n.full.Load() && strings.HasSuffix(key, "-1.png") {
		return errors.New("no space left on device")
	}
	return n.Lister.Put(ctx, key, r, contentType)
}

func storedBeforeFull(r *rig) {
	s := &nearlyFull{Lister: r.pictures.Lister}
	s.full.Store(true)
	r.pictures.Lister = s
	var first atomic.Int64
	r.web = func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/1" && first.Add(1) > 1 {
			w.WriteHeader(404) // its address dies meanwhile
			return
		}
		w.Write(pngOf(40, 30))
	}
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return at(r.host+"/1", r.host+"/2"), nil
	}
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 2}})
	r.until("storage is waited for", func() bool { return r.get(t.ID).Waits >= 2 })
	s.full.Store(false)
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"len results": len(r.results(t.ID)), "first": first.Load(), "ErrorMsg": done.ErrorMsg, "submits": r.painter.submits.Load()},
		facts{"len results": 2, "first": int64(1), "ErrorMsg": "", "submits": int64(1)})
}

func boughtAgain(r *rig) {
	r.painter.can.AddressLife = time.Minute
	r.dead()
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	r.painter.submit = newPainter().submit
	_, err := r.client.BuyAgain(r.Context(), failed.Seen(), task.CollectableCalls(r.attempts(failed.ID))...)
	r.check(err)
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"states": r.states(t.ID), "submits": r.painter.submits.Load(), "CostMicros": *done.CostMicros},
		facts{"states": []task.AttemptState{task.AttemptFailed, task.AttemptSucceeded}, "submits": int64(2), "CostMicros": int64(80_000)})
	if got := r.attempts(t.ID)[0].ErrorMsg; !strings.Contains(got, "a person decided to buy again") || !strings.Contains(got, "404") {
		r.Errorf("the first call says %q", got)
	}
}

func runCollects(r *rig) {
	r.painter.can.AddressLife = time.Minute
	_, alive := r.dead()
	r.start()
	t := r.asks()
	r.ends(t.ID, task.Failed)
	r.in(t.Ref(), queue.Archived)
	alive()
	r.dashboard("POST", "archived_tasks/"+t.Ref().String()+":run")
	r.until("the row is retried", func() bool { return r.get(t.ID).Delivery == 1 })
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}
