package fakeprovider

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// reply is what the fake provider says of a job.
type reply struct {
	Job        string `json:"job"`
	State      string `json:"state"` // working, done, failed, cancelled
	AfterMS    int64  `json:"after_ms,omitempty"`
	Picture    string `json:"picture,omitempty"` // in base64
	URL        string `json:"url,omitempty"`
	CostMicros int64  `json:"cost_micros,omitempty"`
	Currency   string `json:"currency,omitempty"`
}

const (
	working   = "working"
	done      = "done"
	failed    = "failed"
	cancelled = "cancelled"
)

// now returns how a job is at this moment.
func (s *Server) now(j *job) job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *j
}

// done reports whether the job has come to its end, if nobody has stopped it.
func (j job) done() bool { return !time.Now().Before(j.ready) }

// cancelled reports whether the job was stopped before it was done.
func (j job) cancelled() bool {
	return !j.stops.IsZero() && j.stops.Before(j.ready) && !time.Now().Before(j.stops)
}

// say answers how a job stands.
func (s *Server) say(w http.ResponseWriter, r *http.Request, j *job) {
	now := s.now(j)
	a := reply{Job: now.id}
	switch {
	case now.cancelled():
		a.State = cancelled
	case !now.done():
		a.State, a.AfterMS = working, pollAfter.Milliseconds()
	case now.fails:
		a.State = failed
	case now.class == "sync" && s.Inline:
		a.State, a.Picture, a.CostMicros, a.Currency = done, base64.StdEncoding.EncodeToString(now.picture), costPaid, currency
	default:
		a.State, a.URL, a.CostMicros, a.Currency = done, s.pictureURL(r, now.id), costPaid, currency
	}
	write(w, a)
}

func write(w http.ResponseWriter, a reply) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Request-Id", "req-"+a.Job)
	_ = json.NewEncoder(w).Encode(a) // a caller that left hears nothing
}

// pictureURL is where the caller that r comes from finds the picture.
func (s *Server) pictureURL(r *http.Request, id string) string {
	return s.pictureAt("http://"+r.Host, id)
}

// pictureAt is where a caller that finds the fake provider at that address finds the picture.
func (s *Server) pictureAt(at, id string) string {
	at += "/pictures/" + id + ".png"
	if s.Token != "" {
		at += "?" + url.Values{"signature": {s.Token}}.Encode()
	}
	return at
}

// find returns a job of the provider.
func (s *Server) find(provider, id string) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.jobs[id]; j != nil && j.provider == provider {
		return j
	}
	return nil
}

func (s *Server) poll(w http.ResponseWriter, r *http.Request) {
	j := s.find(r.PathValue("name"), r.PathValue("job"))
	if j == nil {
		refuse(w, http.StatusNotFound, "no_such_job", "there is no such job")
		return
	}
	s.note(w, "poll", j)
	s.say(w, r, j)
}

func (s *Server) cancel(w http.ResponseWriter, r *http.Request) {
	j := s.find(r.PathValue("name"), r.PathValue("job"))
	if j == nil {
		refuse(w, http.StatusNotFound, "no_such_job", "there is no such job")
		return
	}
	if !s.stop(w, j) {
		refuse(w, http.StatusConflict, "too_late", "the picture is drawn already")
		return
	}
	s.say(w, r, j)
}

// stopsLate is how long after its cancel a job stops at a fake provider that heeds them late.
const stopsLate = 2 * time.Second

// stop takes a cancel of a job, unless it is done.
func (s *Server) stop(w http.ResponseWriter, j *job) bool {
	s.mu.Lock()
	late := j.done()
	if !late && j.stops.IsZero() {
		switch s.heeds {
		case Late:
			j.stops = time.Now().Add(stopsLate)
		case Deaf:
		default:
			j.stops = time.Now()
		}
	}
	s.mu.Unlock()
	if !late {
		s.note(w, "cancel", j)
	}
	return !late
}

// note enters that somebody did something about a job.
func (s *Server) note(w http.ResponseWriter, event string, j *job) {
	s.enter(w, entry{Event: event, Provider: j.provider, Class: j.class, Key: j.key, Tag: j.tag, Job: j.id})
}

func (s *Server) lookUp(w http.ResponseWriter, r *http.Request) {
	e := entry{Event: "recover", Provider: r.PathValue("name"), Class: r.PathValue("class"), Key: r.PathValue("key")}
	s.mu.Lock()
	j := s.keys[[2]string{e.Provider, e.Key}]
	s.mu.Unlock()
	if j == nil {
		s.enter(w, e)
		refuse(w, http.StatusNotFound, "no_such_key", "no job has this key")
		return
	}
	e.Job, e.Tag = j.id, j.tag
	s.enter(w, e)
	s.say(w, r, j)
}

func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	if s.Token != "" && r.URL.Query().Get("signature") != s.Token {
		refuse(w, http.StatusForbidden, "bad_signature", "the address is not signed")
		return
	}
	s.show(w, r.PathValue("job"))
}

// show sends the picture of that file name.
func (s *Server) show(w http.ResponseWriter, file string) {
	s.mu.Lock()
	j := s.jobs[strings.TrimSuffix(file, ".png")]
	s.mu.Unlock()
	if j == nil {
		refuse(w, http.StatusNotFound, "no_such_picture", "there is no such picture")
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(j.picture)
}

// complaint is the error of the fake provider's answers.
type complaint struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	var c complaint
	c.Error.Code, c.Error.Message = code, message
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(c)
}

// tagOf is the first word of a prompt, by which the book knows a task.
func tagOf(prompt string) string {
	if words := strings.Fields(prompt); len(words) > 0 {
		return words[0]
	}
	return ""
}

// paint makes a picture that no other job has.
func paint(id, tag string) (picture []byte, sha string) {
	h := fnv.New64a()
	h.Write([]byte(id + " " + tag))
	rnd := rand.New(rand.NewPCG(h.Sum64(), 3))
	m := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	for i := range 64 {
		m.SetNRGBA(i%8, i/8, color.NRGBA{uint8(rnd.UintN(256)), uint8(rnd.UintN(256)), uint8(rnd.UintN(256)), 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err) // a buffer takes everything
	}
	sum := sha256.Sum256(b.Bytes())
	return b.Bytes(), hex.EncodeToString(sum[:])
}
