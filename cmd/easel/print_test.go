package main

import (
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/task"
)

func TestValuesForPeople(t *testing.T) {
	micros := func(n int64) *int64 { return &n }
	now := time.Now()
	later := &task.Task{Standing: task.Standing{Status: task.Pending}, Request: task.Request{RunAt: now.Add(2*time.Hour - time.Minute)}}
	for got, want := range map[string]string{
		money(nil, "USD"):        "",
		outcome(later, nil, now): "due in 2h",
		money(micros(0), "USD"):  "0.00 USD",
		pictureAddress("data:image/png;base64," + strings.Repeat("A", 2000)): "data:image/png;base64,… (2.0 kB)",
		pictureAddress("https://x.test/a,b.png"):                             "https://x.test/a,b.png",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
