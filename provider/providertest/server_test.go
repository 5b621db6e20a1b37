package providertest_test

import (
	"bytes"
	"fmt"
	"image/png"
	"net/http"
	"sync"
	"testing"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

// draw submits as an adapter would, and reads the answer into v.
func draw(t *testing.T, url, body string, v any) error {
	t.Helper()
	reply, err := (&provider.Client{}).Do(t.Context(), provider.HTTPRequest{Method: http.MethodPost, URL: url + "/images/generations", Body: []byte(body)})
	if err != nil {
		return err
	}
	return reply.JSON(v)
}

func TestServerKeepsALedger(t *testing.T) {
	s := providertest.StartAll()
	defer s.Close()
	s.Behave(func(e providertest.Submit) providertest.Behaviour {
		switch e.Prompt {
		case "refused":
			return providertest.Answers(http.StatusTooManyRequests, "{}")
		case "lost":
			return providertest.Resets()
		}
		return providertest.Draws()
	})
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			draw(t, s.OpenAIURL(), fmt.Sprintf(`{"prompt":%q}`, []string{"drawn", "refused", "lost"}[i%3]), new(any))
		})
	}
	all.Wait()
	for prompt, want := range map[string][2]int{"": {30, 20}, "drawn": {10, 10}, "refused": {10, 0}, "lost": {10, 10}, "never": {0, 0}} {
		if submits, billed := s.Count(prompt); submits != want[0] || billed != want[1] {
			t.Errorf("%q: %d submits, %d billed; want %v", prompt, submits, billed, want)
		}
	}
}

func TestServerSpeaksAsTheServices(t *testing.T) {
	s := providertest.StartAll()
	defer s.Close()
	var answer struct {
		Data []struct {
			Base64 []byte `json:"b64_json"`
			URL    string
		}
	}
	t.Run("OpenAI gives the pictures themselves", func(t *testing.T) {
		if err := draw(t, s.OpenAIURL(), `{"prompt":"a cat","n":2}`, &answer); err != nil || len(answer.Data) != 2 {
			t.Fatalf("%d pictures, %v", len(answer.Data), err)
		}
		for _, p := range answer.Data {
			if _, err := png.Decode(bytes.NewReader(p.Base64)); err != nil {
				t.Errorf("the picture does not decode: %v", err)
			}
		}
		if bytes.Equal(answer.Data[0].Base64, answer.Data[1].Base64) {
			t.Error("two pictures are the same")
		}
	})
	t.Run("Ark gives addresses, under which the pictures lie", func(t *testing.T) {
		body := `{"prompt":"a cat","sequential_image_generation_options":{"max_images":2}}`
		if err := draw(t, s.ArkURL(), body, &answer); err != nil || len(answer.Data) != 2 {
			t.Fatalf("%d pictures, %v", len(answer.Data), err)
		}
		for i, p := range answer.Data {
			d, err := (&provider.Client{}).Fetch(t.Context(), p.URL, nil, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			got.ReadFrom(d)
			d.Close()
			if !bytes.Equal(got.Bytes(), providertest.Picture(fmt.Sprint("a cat", i))) {
				t.Errorf("picture %d is another one", i+1)
			}
		}
	})
	t.Run("A changed signature is refused", func(t *testing.T) {
		_, err := (&provider.Client{}).Fetch(t.Context(), s.PictureURL("a cat")+"&z", nil, 1<<20)
		if f := task.AsFailure(err); f == nil || f.Kind != task.Expired {
			t.Errorf("got %v", err)
		}
	})
}
