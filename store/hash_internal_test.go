package store

import (
	"testing"
	"time"

	"github.com/easelqueue/easel/task"
)

// TestRequestHash holds the hashes that rows of earlier releases carry: a request that is
// repeated after an upgrade must be known again.
func TestRequestHash(t *testing.T) {
	steps, scale, seed, yes, user := 30, 7.5, int64(42), true, int64(7)
	full := task.Request{
		Provider: "openai", Model: "gpt-image-1", Prompt: "a lighthouse", NegativePrompt: "fog", Size: "1024x1024", Quality: "high", Style: "vivid",
		Steps: &steps, CFGScale: &scale, Seed: &seed, Watermark: &yes, ImageCount: 2,
		InputImageURL: "https://example.com/a.png", InputImageID: &seed, ReferenceImages: `["https://example.com/b.png"]`, FitInputs: &yes,
		UserID: &user, DramaID: &user, StoryboardID: &user, SubjectType: "scene", SubjectID: "s1", Metadata: `{"a":1}`,
		Priority: task.High, RunAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), MaxAttempts: 4, IdempotencyKey: "k1", Fallbacks: `["sketch"]`,
		Parameters: map[string]string{"b": "2", "a": "1"},
	}
	for want, r := range map[string]task.Request{
		"bbc9d6d49ef8a4442c3c5a187cdd1cff5187a4f948a70aa2d58181c98f19e3f2": full,
		"5781be64163716ed26e7e9e74bd8bc016661641ad183b494f34ba87e72845cb6": {Provider: "sketch", Prompt: "a cat"},
	} {
		got, err := requestHash(asked(&task.Task{Request: r}))
		if err != nil || got != want {
			t.Errorf("the hash of %q is %s, %v; want %s", r.Prompt, got, err, want)
		}
	}
}
