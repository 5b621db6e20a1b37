package web

import (
	"cmp"
	"net/url"
	"slices"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/task"
)

// shot is a picture as pages show it.
type shot struct{ task.Result }

// File is the picture's address on this site, or "" if it is not in our storage.
func (p shot) File() string { return pictureURL(p.StorageKey, p.SHA256) }

// Small is the address of its thumbnail, or of the picture if it has none. It is ""
// if browsers show neither.
func (p shot) Small() string {
	return cmp.Or(pictureURL(p.ThumbnailKey, p.SHA256), p.shown())
}

// Large is the address of its preview, or of the picture if that is not larger. It is
// "" if browsers show neither.
func (p shot) Large() string {
	if !picture.HasPreview(p.Width, p.Height) {
		return p.shown()
	}
	return cmp.Or(pictureURL(picture.PreviewKey(p.ThumbnailKey), p.SHA256), p.shown())
}

// shown is File, if browsers show it.
func (p shot) shown() string {
	if !picture.Shows(p.StorageKey) {
		return ""
	}
	return p.File()
}

// Bytes is how large the file is.
func (p shot) Bytes() string { return human.Size(p.FileSize) }

// pictureURL is "" for a key that no store takes. The sum tells pictures of two databases
// apart that have the same key at the same address, so that browsers may keep them.
func pictureURL(key, sum string) string {
	if picture.CheckKey(key) != nil {
		return ""
	}
	u := url.URL{Path: "/pictures/" + key}
	if sum != "" {
		u.RawQuery = url.Values{picture.VersionParameter: {sum[:min(len(sum), 12)]}}.Encode()
	}
	return u.String()
}

// split parts the pictures of a task into those that are its answer and those
// that came too late to be: of a call that was cancelled or given up meanwhile.
// Where the answer took several calls the others have brought the positions that the
// one has not to which task.Answer belongs.
func split(t *task.Task, results []task.Result) (answer, late []shot) {
	attempt := int64(-1)
	if own := t.Answer(results); own != nil {
		attempt = own.AttemptID
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
	if attempt < 0 {
		return answer, late
	}
	return complete(answer, late, t.ImageCount)
}

// complete moves what fills a gap of the answer to it.
func complete(answer, others []shot, count int) (whole, late []shot) {
	taken := make(map[int]bool)
	for _, p := range answer {
		taken[p.Position] = true
	}
	for _, p := range others {
		if taken[p.Position] || p.Position >= count {
			late = append(late, p)
			continue
		}
		taken[p.Position] = true
		answer = append(answer, p)
	}
	slices.SortStableFunc(answer, func(a, b shot) int { return a.Position - b.Position })
	return answer, late
}
