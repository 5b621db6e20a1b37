package openai

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

// breaking is an account at a service whose answers end before they are over.
func breaking(t *testing.T, body string) *Adapter {
	t.Helper()
	a, err := New(Config{BaseURL: providertest.Breaks(t, body) + "/v1", Key: "sk-test", Client: &provider.Client{Temp: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAStreamThatBreaksOffKeepsWhatHasCome(t *testing.T) {
	picture := "iVBORw0KGgo" + strings.Repeat("AAAA", 40_000)
	finished := `data: {"type":"image_generation.completed","b64_json":"` + picture + `"}` + "\n\n"
	preview := `data: {"type":"image_generation.partial_image","b64_json":"` + picture + `"}` + "\n\n"
	half := `data: {"type":"image_generation.completed","b64_json":"` + picture[:70_000]
	for _, c := range []struct {
		claim, body string
		pictures    int
	}{
		{"A finished picture before the half of another", finished + half, 1},
		{"Two finished pictures, after previews", preview + finished + preview + finished + "data: {", 2},
		{"An address on a line of its own", `{"data":[{"url":"https://cdn.test/1.png"}]}` + "\n" + `{"data":[{"u`, 1},
		{"A preview is no picture", preview + half, 0},
		{"Half a picture is none", half, 0},
		{"An error before the end is not believed", `data: {"error":{"code":"rate_limit_exceeded","message":"https://help.test/limits"}}` + "\n\n" + half, 0},
		{"A failure of the service before the end is not believed", `data: {"error":{"code":"server_error","message":"https://help.test/"}}` + "\n\n" + half, 0},
		{"A picture before an error is one", finished + `data: {"type":"error","error":{"code":"server_error","message":"it broke"}}` + "\n\n" + half, 1},
	} {
		t.Run(c.claim, func(t *testing.T) {
			ans, err := breaking(t, c.body).Submit(t.Context(), provider.Call{Endpoint: generations, Body: []byte(`{}`)})
			f := task.AsFailure(err)
			if c.pictures == 0 && (err == nil || f.Executed != task.Unknown || f.Unbilled) {
				t.Errorf("got %d pictures, %+v", len(ans.Outputs), f)
			}
			if c.pictures > 0 && (err != nil || len(ans.Outputs) != c.pictures || len(ans.Notes) != 1 || !strings.Contains(ans.Notes[0], "the connection ended")) {
				t.Errorf("got %d pictures, noted %q, %v", len(ans.Outputs), ans.Notes, err)
			}
			for _, o := range ans.Outputs {
				if o.Err != nil || o.URL == "" && o.File.Len() != int64(len(picture)*3/4) {
					t.Errorf("a picture is %+v", o)
				}
			}
		})
	}
}

func TestAJobInAStreamThatBreaksOffIsAskedAfter(t *testing.T) {
	for _, body := range []string{`data: {"task_id":"t1","status":"queued"}` + "\n\n" + `data: {"sta`, `data: {"id":"t1","status":"queued"}` + "\n\n"} {
		ans, err := breaking(t, body).Submit(t.Context(), provider.Call{Endpoint: generations, Body: []byte(`{}`)})
		if err != nil || ans.Done || ans.JobID != "t1" || len(ans.Handle) == 0 {
			t.Errorf("got %+v, %v", ans, err)
		}
	}
}

func TestAJobThatAStreamHasNamedStaysWhateverFollows(t *testing.T) {
	const object = `data: {"id":"t1","object":"image.generation.task","status":"queued","poll_url":"/v1/images/tasks/t1"}` + "\n\n"
	const list = `data: {"data":[{"task_id":"t1","status":"queued"}]}` + "\n\n"
	a := adapter(t)
	for claim, c := range map[string]struct {
		body, jobs string
		listed     bool
	}{
		"A ping":                        {object + `data: {"type":"keepalive"}`, "t1", false},
		"Progress":                      {list + `data: {"type":"progress","data":{"percent":10}}`, "t1", true},
		"A rate limit":                  {list + `data: {"type":"error","error":{"code":"rate_limit_exceeded"}}`, "t1", true},
		"A refused key":                 {object + `data: {"error":{"code":"invalid_api_key"}}`, "t1", false},
		"A failure of the service":      {object + `data: {"status":"error","error":{"code":"server_error"}}`, "t1", false},
		"An error with an id":           {object + `data: {"id":"req_1","error":{"code":"server_error"}}`, "t1", false},
		"How it stands":                 {object + `data: {"id":"t1","status":"in_progress"}`, "t1", false},
		"Another job of the call":       {list + `data: {"data":[{"task_id":"t2","status":"queued"}]}` + "\n\n" + `data: {"type":"keepalive"}`, "t1 t2", true},
		"The picture, and then a ping":  {list + `data: {"type":"image_generation.completed","url":"https://cdn.test/1.png"}` + "\n\n" + `data: {"type":"keepalive"}`, "", false},
		"Its end, beside the picture":   {list + `data: {"task_id":"t1","status":"completed","url":"https://cdn.test/1.png"}`, "", false},
		"A preview that is not the end": {object + `data: {"id":"t1","status":"in_progress","url":"https://cdn.test/preview.png"}` + "\n\n" + `data: {"type":"keepalive"}`, "t1", false},
	} {
		t.Run(claim, func(t *testing.T) {
			ans, err := a.read(provider.Reply{Status: 200, Body: []byte(c.body + "\n\n")})
			if err != nil || ans.JobID != c.jobs || ans.Done != (c.jobs == "") {
				t.Fatalf("got %+v, %v", ans, err)
			}
			var h handle
			if c.jobs == "" {
				return
			}
			if err := json.Unmarshal(ans.Handle, &h); err != nil || h.Listed != c.listed {
				t.Errorf("the handle is %s, %v", ans.Handle, err)
			}
		})
	}
}
