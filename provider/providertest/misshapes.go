package providertest

import (
	"bytes"
	"testing"

	"github.com/easelqueue/easel/provider"
)

// misshapes tries each shape of the answers to the submit and to all questions.
func (s Suite) misshapes(t *testing.T) {
	bite := 0
	for _, shape := range append(Shapes(), s.Shapes...) {
		t.Run(shape.Claim, func(t *testing.T) {
			b := s.bench(t)
			touched := false
			watched := Shape{shape.Claim, func(srv *Server, answer []byte) []byte {
				other := shape.Change(srv, bytes.Clone(answer))
				touched = touched || !bytes.Equal(bytes.TrimSpace(other), bytes.TrimSpace(answer))
				return other
			}}
			b.Always(watched.Behaviour(b.Server))
			b.Asks(new(watched.Behaviour(b.Server)))
			a := b.drawn(t)
			want := b.wanted(s.Request)
			if len(a.Outputs) != len(want) {
				t.Fatalf("%d pictures, want %d: %+v", len(a.Outputs), len(want), a.Outputs)
			}
			for i, o := range a.Outputs {
				if o.Err != nil {
					t.Fatalf("picture %d is lost: %v", i+1, o.Err)
				}
				if got := b.bytes(t, b.provider, o); !bytes.Equal(got, want[i]) {
					t.Errorf("picture %d is another one (%d bytes)", i+1, len(got))
				}
			}
			if n, billed := b.Count(""); n != 1 || billed != 1 {
				t.Errorf("the service received %d submits and billed %d; want 1", n, billed)
			}
			if touched {
				bite++
			}
		})
	}
	if bite < 40 {
		t.Errorf("%d shapes changed an answer; want at least 40", bite)
	}
}

// drawn submits once and polls until the pictures are there.
func (b *bench) drawn(t *testing.T) provider.Answer {
	t.Helper()
	a, err := b.provider.Submit(t.Context(), b.call)
	if err != nil {
		t.Fatalf("Submit: %v", err)
	}
	handle := a.Handle
	for polls := 0; !a.Done; polls++ {
		if polls > 20 {
			t.Fatal("the job is never done")
		}
		if a, err = b.provider.Poll(t.Context(), handle); err != nil {
			t.Fatalf("Poll: %v", err)
		}
	}
	return a
}

// wanted are the pictures that the service has drawn.
func (b *bench) wanted(r provider.Request) (all [][]byte) {
	job := Job{Prompt: r.Prompt, Images: max(r.Images, 1)}
	if jobs := b.Jobs(); len(jobs) > 0 {
		job = jobs[0]
	}
	for i := range job.Images {
		all = append(all, Picture(job.Seed(i)))
	}
	return all
}
