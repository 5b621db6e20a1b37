package simulation

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"sync"
	"time"
)

// fakeProvider is the far side: it draws, bills and keeps the book that is the truth
// about money. Nothing that happens to us happens to it.
type fakeProvider struct {
	w      *world
	mu     sync.Mutex
	rnd    *rand.Rand
	jobs   map[string]*job
	byKey  map[string]*job
	faults []string // what will become of the next calls
}

// job is one picture that was ordered.
type job struct {
	id, provider, key, tag string
	ready                  time.Time
	fails                  bool // it will turn out that it cannot be drawn; not billed
	cancelled              bool
	picture                []byte
	sha256                 string
}

func newFakeProvider(w *world) *fakeProvider {
	return &fakeProvider{w: w, rnd: rand.New(rand.NewPCG(w.Seed, 2)), jobs: make(map[string]*job), byKey: make(map[string]*job)}
}

// doom makes a later call go wrong as f says.
func (s *fakeProvider) doom(f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f.Kind)
}

// nextFault returns what becomes of this call; empty is nothing.
func (s *fakeProvider) nextFault() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 {
		return ""
	}
	next := s.faults[0]
	s.faults = s.faults[1:]
	return next
}

// order takes a call in. A fake provider of class idempotent that knows the key draws and bills
// nothing again.
func (s *fakeProvider) order(class, provider, key, tag string, fault string) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.byKey[key]; known != nil && class == "idempotent" {
		s.w.book.enter(ledgerEntry{Event: "duplicate", Provider: provider, Class: class, Key: key, Tag: tag, Job: known.id})
		return known
	}
	takes := time.Duration(5+s.rnd.IntN(55)) * time.Second
	if fault == lateAnswer {
		takes = callTimeout - 5*time.Second
	}
	j := &job{id: fmt.Sprintf("job-%d", len(s.jobs)+1), provider: provider, key: key, tag: tag, ready: time.Now().Add(takes), fails: fault == jobFails}
	j.picture, j.sha256 = draw(j.id, tag)
	s.jobs[j.id] = j
	if class == "idempotent" || class == "lookup" {
		s.byKey[key] = j
	}
	s.w.book.enter(ledgerEntry{Event: "submit", Provider: provider, Class: class, Key: key, Tag: tag, Job: j.id, Billed: !j.fails,
		Cut: ambiguous[fault], Pictures: []string{j.sha256}})
	return j
}

// refuse notes a call that was turned away.
func (s *fakeProvider) refuse(class, provider, key, tag string) {
	s.w.book.enter(ledgerEntry{Event: "refused", Provider: provider, Class: class, Key: key, Tag: tag})
}

func (s *fakeProvider) job(id string) (job, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.jobs[id]; j != nil {
		return *j, true
	}
	return job{}, false
}

func (s *fakeProvider) jobOf(key string) (job, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.byKey[key]; j != nil {
		return *j, true
	}
	return job{}, false
}

func (s *fakeProvider) cancel(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.jobs[id]; j != nil && time.Now().Before(j.ready) {
		j.cancelled = true
	}
}

func (s *fakeProvider) latency() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(20+s.rnd.IntN(280)) * time.Millisecond
}

// draw makes a picture that no other job has.
func draw(id, tag string) ([]byte, string) {
	h := fnv.New64a()
	h.Write([]byte(id + " " + tag))
	rnd := rand.New(rand.NewPCG(h.Sum64(), 3))
	m := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	for i := range 16 {
		m.SetNRGBA(i%4, i/4, color.NRGBA{uint8(rnd.UintN(256)), uint8(rnd.UintN(256)), uint8(rnd.UintN(256)), 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	sum := sha256.Sum256(b.Bytes())
	return b.Bytes(), hex.EncodeToString(sum[:])
}
