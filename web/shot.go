package web

import (
	"cmp"
	"net/url"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/task"
)

// shot is a picture as pages show it.
type shot struct{ task.Result }

// File is the picture's address on this site, or "" if it is not in our storage.
func (p shot) File() string { return pictureURL(p.StorageKey) }

// Small is the address of its thumbnail, or of the picture if it has none.
func (p shot) Small() string {
	return cmp.Or(pictureURL(p.ThumbnailKey), p.File())
}

// Bytes is how large the file is.
func (p shot) Bytes() string { return size(p.FileSize) }

// pictureURL is "" for a key that no store takes.
func pictureURL(key string) string {
	if picture.CheckKey(key) != nil {
		return ""
	}
	return (&url.URL{Path: "/pictures/" + key}).EscapedPath()
}

// split parts the pictures of a task into those that are its answer and those
// that came too late to be: of a call that was cancelled or given up meanwhile.
// The task's own image_url tells which attempt gave the answer.
func split(t *task.Task, results []task.Result) (answer, late []shot) {
	attempt := int64(-1)
	if t.Status == task.Completed {
		for _, r := range results {
			if attempt < 0 || r.GeneratedImageURL == t.ImageURL {
				attempt = r.AttemptID
			}
			if r.GeneratedImageURL == t.ImageURL {
				break
			}
		}
	}
	for _, r := range results {
		r.HideSignature()
		clip(maxValue, &r.GeneratedImageURL, &r.SourceURL, &r.Model, &r.ContentType, &r.SHA256)
		clip(task.MaxPrompt, &r.RevisedPrompt)
		if r.AttemptID == attempt {
			answer = append(answer, shot{r})
		} else {
			late = append(late, shot{r})
		}
	}
	return answer, late
}
