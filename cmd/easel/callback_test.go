package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/fakeprovider"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/task"
)

const callbackYAML = `providers:
  replicate:
    model: acme/brush
    on_unknown: hold
    accounts:
      - {name: main, key: "${FAKEPROVIDER_KEY}", base_url: %q, callbacks: on, callback_secret: "${HOOK_SECRET}"}
`

// pageAt returns what the pages say at that address.
func pageAt(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s (%v)", url, resp.Status, err)
	}
	return string(text)
}

func TestCallbacks(t *testing.T) {
	t.Parallel()
	const secret = "whsec_aGVsbG8="
	at, book := openFakeProvider(t, fakeprovider.Options{Takes: 4 * time.Second, CallbackSecret: secret})
	s := newSite(t, fmt.Sprintf(callbackYAML, at+"/async/replicate/v1"), "FAKEPROVIDER_KEY="+fakeproviderKey, "HOOK_SECRET="+secret)
	s.start("up").serves(t)
	pages := "http://" + config.Variables(s.env)["EASEL_LISTEN"]
	post := func(url, body string) (status int, text string) {
		resp, err := http.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		said, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(said)
	}
	attempt := func() *task.Attempt {
		all, err := s.tasks.Attempts(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 {
			return &task.Attempt{}
		}
		return &all[len(all)-1]
	}
	post(at+"/control", `{"faults":["cut"]}`)
	s.easel(0, "enqueue", "一只红狐狸", "--provider", "replicate")
	servertest.Eventually(t, 5*time.Minute, "the call's outcome is unknown", func() bool {
		return s.number("SELECT count(*) FROM image_generations WHERE error_kind = 'outcome_unknown'") == 1
	})

	t.Run("One that is not signed is refused, and one for no call has no place", func(t *testing.T) {
		if status, text := post(pages+"/callbacks/replicate/"+attempt().Key, `{"id":"replicate-1"}`); status != http.StatusUnauthorized {
			t.Errorf("got %d %s", status, text)
		}
		if status, text := post(pages+"/callbacks/replicate/0198c0de-0000-7000-8000-000000000001", `{"id":"replicate-1"}`); status != http.StatusNotFound {
			t.Errorf("got %d %s", status, text)
		}
	})
	t.Run("It brings a call back whose answer was lost: its picture is fetched by itself, and nothing is bought", func(t *testing.T) {
		servertest.Eventually(t, 5*time.Minute, "the task is completed", func() bool { return s.count(task.Completed) == 1 })
		if bills := book.bills(t); bills != 1 || attempt().Number != 1 {
			t.Errorf("%d bills, %d attempts", bills, attempt().Number)
		}
	})
}
