package worker

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// storeAll stores a picture, or the tiles of a grid one by one: cut again they are the
// same, so that a crash among them is no matter.
func (s *step) storeAll(ctx context.Context, file io.ReadSeeker, out *provider.Output) ([]task.Result, error) {
	if out.Tiles < 2 {
		r, err := s.store(ctx, file, out, keepTimeout)
		return []task.Result{r}, err
	}
	tiles, err := s.w.Checker.For(s.svc.Name).Split(ctx, file, out.Tiles)
	if err != nil {
		return nil, err
	}
	results := make([]task.Result, 0, len(tiles))
	for i, tile := range tiles {
		piece := *out
		piece.Position, piece.Key = out.Position*len(tiles)+i, ""
		r, err := s.store(ctx, bytes.NewReader(tile), &piece, keepTimeout)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// store checks a picture and puts it and its thumbnail under their keys. Patience
// is for storage alone: waiting for memory to decode is no fault of it.
func (s *step) store(ctx context.Context, r io.ReadSeeker, out *provider.Output, patience time.Duration) (task.Result, error) {
	r, err := s.annotated(r, out)
	if err != nil {
		return task.Result{}, err
	}
	checked, err := s.w.Checker.For(s.svc.Name).Check(ctx, r)
	if err != nil {
		return task.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	base := fmt.Sprintf("%d/%d-%d", s.t.ID, s.last.ID, out.Position)
	key := base + "." + checked.Extension
	if key != out.Key { // else it is there already
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return task.Result{}, err
		}
		if err := s.w.Pictures.Put(ctx, key, r, checked.ContentType); err != nil {
			return task.Result{}, err
		}
	}
	crash.At("picture stored")
	result := s.result(out, key)
	result.ContentType, result.FileSize, result.SHA256 = checked.ContentType, checked.Size, checked.SHA256
	result.Width, result.Height, result.ThumbnailKey = checked.Width, checked.Height, s.thumbnail(ctx, base, checked)
	return result, nil
}

// result is the picture under that key, but for what its bytes say.
func (s *step) result(out *provider.Output, key string) task.Result {
	at := s.w.Pictures.Locate(key)
	model, _ := s.model()
	return task.Result{
		TaskID: s.t.ID, AttemptID: s.last.ID, Position: s.before + out.Position, GeneratedImageURL: at.URL, SourceURL: cmp.Or(out.Source, provider.Unsigned(out.URL)),
		Model: model, StorageKey: key, Seed: out.Seed, RevisedPrompt: out.RevisedPrompt,
		LocalPath: at.LocalPath, ObjectURL: at.ObjectURL,
	}
}

// annotated returns the picture with how it came about written into it, if that is
// wanted. What is checked, summed and stored is then this.
func (s *step) annotated(r io.ReadSeeker, out *provider.Output) (io.ReadSeeker, error) {
	if !s.w.Annotate || out.Key != "" && !strings.HasSuffix(out.Key, picture.StrayEnd) { // which it already is
		return r, nil
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(r, s.w.Checker.Limits.WithDefaults().Bytes+1)) // one more: the check refuses it
	if err != nil {
		return nil, err
	}
	model, _ := s.model()
	n := codec.Notes{Prompt: s.t.Prompt, Provider: s.svc.Name, Model: model, Task: strconv.FormatInt(s.t.ID, 10)}
	switch {
	case out.Seed != nil:
		n.Seed = strconv.FormatInt(*out.Seed, 10)
	case s.t.Seed != nil:
		n.Seed = strconv.FormatInt(*s.t.Seed, 10)
	}
	return bytes.NewReader(codec.Annotate(content, n)), nil
}

// thumbnail stores the small pictures and returns the smallest one's key, from which
// the other's follows. The task does not fail for want of them.
func (s *step) thumbnail(ctx context.Context, base string, c codec.Checked) string {
	if c.ThumbnailErr == nil && c.Width <= c.Thumbnail.Width && c.Height <= c.Thumbnail.Height {
		return base + "." + c.Extension // it is small already
	}
	key := picture.ThumbnailKey(base, c.Thumbnail.Extension)
	err := c.ThumbnailErr
	if err == nil && picture.HasPreview(c.Width, c.Height) {
		err = s.w.Pictures.Put(ctx, picture.PreviewKey(key), bytes.NewReader(c.Preview.Bytes), c.Preview.ContentType)
	}
	if err == nil {
		err = s.w.Pictures.Put(ctx, key, bytes.NewReader(c.Thumbnail.Bytes), c.Thumbnail.ContentType)
	}
	if err != nil {
		s.log.Warn().Err(err).Msg("no thumbnail")
		return ""
	}
	return key
}
