package web

import (
	"testing"

	"github.com/easelqueue/easel/task"
)

func TestATaskWithoutAPromptAndARetryInVainAreNamed(t *testing.T) {
	b := newBench(t)
	b.site.Waits = night{}
	b.add(task.Task{})
	b.exec("UPDATE image_generations SET prompt = ' ', status = 'failed', error_kind = 'moderated', error_msg = 'refused'")
	for _, path := range []string{"/", "/failed", "/tasks/1"} {
		b.with(t).has(b.get(path), "(no prompt)")
	}
	b.with(t).has(b.get("/failed"), "Whoever asked for it", "Retry anyway")
	b.with(t).has(b.get("/tasks/1"), `<button class="button">Retry anyway</button>`)
}
