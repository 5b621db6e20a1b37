package demo

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/provider/all"
	"github.com/easelqueue/easel/task"
)

// Playbill is what the demo shows, those of one door side by side.
func Playbill() []*Act {
	steps, low := -5, task.Low
	seed := int64(7)
	sketch := func(prompt, size string, parameters map[string]string) task.Task {
		return task.Task{Request: task.Request{Provider: all.Free, Prompt: prompt, Size: size, Parameters: parameters}}
	}
	fromPicture := sketch("the same hills in winter", "768x512", nil)
	fromPicture.InputImageURL = swatch()
	several := sketch("four seasons of one tree", "512x512", nil)
	several.ImageCount = 4
	partial := sketch("three lanterns, one of them refused", "512x512", map[string]string{"fail_images": "1"})
	partial.ImageCount = 3
	seeded := sketch("seven paper boats", "640x400", nil)
	seeded.Seed = &seed
	exhausted := sketch("a stubborn mountain", "640x400", map[string]string{"fail": "unavailable:2"})
	exhausted.MaxAttempts = 2
	nonsense := sketch("minus five steps", "", nil)
	nonsense.Steps = &steps
	later := sketch("low tide, when there is time", "640x400", nil)
	later.Priority = low

	return []*Act{
		{Shows: "success", Door: "Go", enter: byLibrary, task: sketch("a red fox in the snow at dawn", "1024x768", nil), Want: task.Completed, wantCalls: 1, wantPictures: 1},
		{Shows: "a prompt in Chinese", Door: "Go", enter: byLibrary, task: sketch("一只红狐狸在雪地里,清晨的光 🦊", "768x768", nil), Want: task.Completed, wantCalls: 1, wantPictures: 1},
		{Shows: "image to image", Door: "Go", enter: byLibrary, task: fromPicture, Want: task.Completed, wantCalls: 1, wantPictures: 1},
		{Shows: "several pictures", Door: "Go", enter: byLibrary, task: several, Want: task.Completed, wantCalls: 1, wantPictures: 4},
		{Shows: "a picture of several refused", Door: "Go", enter: byLibrary, task: partial, Want: task.Completed, wantCalls: 1, wantPictures: 2},
		{Shows: "a job that takes a while", Door: "Go", enter: byLibrary, task: sketch("slow clouds over a lake", "1024x576", map[string]string{"delay": "3s"}), Want: task.Completed, wantCalls: 1, wantPictures: 1},
		{Shows: "429, then success", Door: "Go", enter: byLibrary, task: sketch("a busy harbour", "640x400", map[string]string{"fail": "rate_limited:1", "retry_after": "1s"}), Want: task.Completed, wantCalls: 2, wantPictures: 1},
		{Shows: "not reached twice, then success", Door: "Go", enter: byLibrary, task: sketch("a lighthouse in fog", "640x400", map[string]string{"fail": "unavailable:2"}), Want: task.Completed, wantCalls: 3, wantPictures: 1},
		{Shows: "outcome unknown, free: sent again", Door: "Go", enter: byLibrary, task: sketch("an echo in a canyon", "640x400", map[string]string{"fail": "provider_error:1"}), Want: task.Completed, wantCalls: 2, wantPictures: 1},
		{Shows: "moderation", Door: "Go", enter: byLibrary, task: sketch("something the provider will not draw", "", map[string]string{"moderate": "true"}), Want: task.Failed, wantCalls: 1},
		{Shows: "no money left", Door: "Go", enter: byLibrary, task: sketch("an empty purse", "", map[string]string{"fail": "billing"}), Want: task.Failed, wantCalls: 1},
		{Shows: "dead letter, then retried by hand", Door: "Go", enter: byLibrary, task: exhausted, Want: task.Completed, wantCalls: 3, wantPictures: 1, when: task.Failed, then: retryByHand},
		{Shows: "cancelled while it was drawn", Door: "Go", enter: byLibrary, task: sketch("never mind", "", map[string]string{"delay": "1m"}), Want: task.Cancelled, when: task.Processing, then: cancelIt},
		{Shows: "refused before it is stored", Door: "Go, refused", enter: refused, task: sketch("too large", "9000x9000", nil), Want: task.Failed, wantCalls: none},
		{Shows: "a fixed seed", Door: "Go, many at once", enter: byLibraryMany, task: seeded, Want: task.Completed, wantCalls: 1, wantPictures: 1},
		{Shows: "low priority", Door: "Go, many at once", enter: byLibraryMany, task: later, Want: task.Completed, wantCalls: 1, wantPictures: 1},
		{Shows: "in the app's own transaction", Door: "Go, own transaction", enter: byTransaction, task: sketch("two rows, one commit", "640x400", nil), Want: task.Completed, wantCalls: 1, wantPictures: 1},
		{Shows: "only provider and prompt", Door: "SQL", enter: bySQL, task: sketch("a kite that nobody holds", "", nil), Want: task.Completed, wantCalls: 1, wantPictures: 1},
		{Shows: "a row of nonsense", Door: "SQL", enter: bySQL, task: nonsense, Want: task.Failed, wantCalls: none},
		{Shows: "from a shell", Door: "easel enqueue", enter: byCommand, task: sketch("a night train", "1024x512", nil), Want: task.Completed, wantCalls: 1, wantPictures: 1},
		{Shows: "from a shell, with progress", Door: "easel enqueue", enter: byCommand, task: sketch("a garden after rain", "768x512", map[string]string{"delay": "2s"}), Want: task.Completed, wantCalls: 1, wantPictures: 1},
	}
}

// none is the wantCalls of a task that must never be sent to anybody.
const none = -1

// judge says what is not as it should be, or nothing.
func (a *Act) judge() string {
	var wrong []string
	if a.Status != a.Want {
		wrong = append(wrong, fmt.Sprintf("%s, not %s", a.Status, a.Want))
	}
	if want := max(a.wantCalls, 0); a.wantCalls != 0 && a.Calls != want {
		wrong = append(wrong, fmt.Sprintf("%s, not %d", human.Count(a.Calls, "call"), want))
	}
	if a.Pictures != a.wantPictures {
		wrong = append(wrong, fmt.Sprintf("%s, not %d", human.Count(a.Pictures, "picture"), a.wantPictures))
	}
	return strings.Join(wrong, "; ")
}

// made counts the calls that were made. A journalled one is not if the machine
// stood still until its lease was over: it ends rejected without a failure.
func made(attempts []task.Attempt) (calls int) {
	for _, a := range attempts {
		if a.State != task.AttemptRejected || a.ErrorKind != "" {
			calls++
		}
	}
	return calls
}

// swatch is a small picture to start from, as a data URL.
func swatch() string {
	m := image.NewRGBA(image.Rect(0, 0, 96, 64))
	for y := range 64 {
		for x := range 96 {
			m.Set(x, y, color.RGBA{uint8(60 + x), uint8(90 + 2*y), 160, 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err) // a picture in memory always encodes
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
}
