package providertest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
)

// Job is what a service remembers of a submit whose pictures it draws later.
type Job struct {
	ID        string // "job-1" and so on, unless the caller chose it
	Prompt    string
	Images    int
	Body      []byte // of the submit
	Polls     int    // how often it was asked after
	Cancelled bool
}

// Pictures returns the addresses of the job's pictures on s.
func (j Job) Pictures(s *Server) []string {
	urls := make([]string, 0, j.Images)
	for i := range j.Images {
		urls = append(urls, s.PictureURL(j.Seed(i)))
	}
	return urls
}

// Seed is that of the job's picture at that position, for Picture.
func (j Job) Seed(position int) string { return fmt.Sprint(j.Prompt, position) }

// Asked is one request that cost nothing.
type Asked struct {
	Method, Path, Query string
	Header              http.Header
	Body                []byte
}

// Begin notes a job. An empty id is replaced by the next number. Images below 1 are 1.
func (s *Server) Begin(id, prompt string, images int, body []byte) Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" {
		id = fmt.Sprintf("job-%d", len(s.jobs)+1)
	}
	j := &Job{ID: id, Prompt: prompt, Images: max(images, 1), Body: body}
	s.jobs = append(s.jobs, j)
	return *j
}

// Jobs returns all jobs, the first one first.
func (s *Server) Jobs() []Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Job, 0, len(s.jobs))
	for _, j := range s.jobs {
		all = append(all, *j)
	}
	return all
}

// Waits makes a job be done only after it was asked after n times; 1 until then.
func (s *Server) Waits(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = n
}

// Poll counts a question after a job. Done says that it is drawn; ok is false if
// there is no such job.
func (s *Server) Poll(id string) (j Job, done, ok bool) {
	return s.job(id, func(j *Job) { j.Polls++ })
}

// Look is Poll without counting.
func (s *Server) Look(id string) (j Job, done, ok bool) { return s.job(id, func(*Job) {}) }

// Stop takes a cancel of a job that is not done yet, and reports whether it did. The job stops,
// unless the service is deaf.
func (s *Server) Stop(id string) bool {
	_, done, ok := s.Look(id)
	if !ok || done {
		return false
	}
	s.job(id, func(j *Job) { j.Cancelled = !s.deaf })
	return true
}

// Deaf makes the service take cancels and draw on, as services do that only pass them on.
func (s *Server) Deaf() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = true
}

func (s *Server) job(id string, change func(*Job)) (_ Job, done, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.jobs, func(j *Job) bool { return j.ID == id })
	if i < 0 {
		return Job{}, false, false
	}
	j := s.jobs[i]
	change(j)
	return *j, j.Polls > s.waits, true
}

// Asks makes the service treat every request that costs nothing that way from
// now on; nil makes it behave well.
func (s *Server) Asks(b *Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = b
}

// Asked returns every request so far that cost nothing, in the order of their arrival.
func (s *Server) Asked() []Asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *Server) ask(w http.ResponseWriter, r *http.Request, ask Ask) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.asked = append(s.asked, Asked{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Clone(), body})
	behaviour := s.answers
	s.mu.Unlock()
	status, answer := ask(s, r, body)
	if behaviour != nil {
		behaviour.Serve(w, r, answer)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(answer)
}
