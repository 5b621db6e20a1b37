package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// bring gets one picture from wherever the answer says it is. Of bytes that were no
// picture for us the address may give better ones by now; until it does they are what
// we have.
func (s *step) bring(ctx context.Context, out *provider.Output) brought {
	if out.Err != nil {
		return brought{err: out.Err}
	}
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	if out.URL == "" || !strings.HasSuffix(out.Key, picture.StrayEnd) {
		return s.fetchOrRenew(ctx, out)
	}
	fresh := *out
	fresh.Key = ""
	b := s.fetchOrRenew(ctx, &fresh)
	out.URL = fresh.URL
	switch {
	case b.err == nil || b.raw != nil:
		*out = fresh
		return b
	case b.err.Kind == task.Storage:
		return b
	}
	had := s.fetch(ctx, out)
	had.again = had.again || had.err != nil && b.again
	return had
}

// fetchOrRenew is fetch, at a new address if the old one gives nothing and the provider
// names another.
func (s *step) fetchOrRenew(ctx context.Context, out *provider.Output) brought {
	b := s.fetch(ctx, out)
	if b.again && s.renew(ctx, out) {
		b = s.fetch(ctx, out)
		b.moved = true
	}
	return b
}

// fetch is bring at the address that is known.
func (s *step) fetch(ctx context.Context, out *provider.Output) brought {
	inline, had := len(out.Bytes) > 0, out.Key
	file, err := s.open(ctx, out)
	if err != nil {
		f := task.AsFailure(err)
		return brought{err: f, again: f.Kind != task.Storage && out.URL != "" && !errors.Is(f.Cause, provider.ErrTooLong)}
	}
	defer file.Close()
	results, err := s.storeAll(ctx, file, out)
	var bad *codec.Error
	switch {
	case errors.As(err, &bad):
		return s.undecodable(ctx, file, out, bad, inline || had != "")
	case err != nil:
		return brought{err: later("our storage does not take the picture", err)}
	}
	if out.Tiles < 2 {
		out.Key = results[0].StorageKey
	}
	return brought{results: results, moved: out.Key != had}
}

// undecodable decides about bytes that are no picture for us. They are kept as they came, but
// for a page in the place of a picture: as the picture itself, if only a decoder for it is
// missing. Whether the address may still give better ones depends on what they are: half a
// picture may be whole until the address is dead, and a damaged one hardly changes.
func (s *step) undecodable(ctx context.Context, file io.ReadSeeker, out *provider.Output, bad *codec.Error, ours bool) brought {
	f := unusable(bad)
	if bad.Text && !ours {
		return brought{err: f, again: true}
	}
	raw, err := s.storeRaw(ctx, file, out, bad)
	if err != nil {
		return brought{err: later("our storage does not take the bytes of a picture", err)}
	}
	if !bad.Foreign || out.Tiles > 1 {
		f.Message += ", and lies as it came at " + raw.StorageKey
		return brought{err: f, raw: raw, again: !ours && (bad.Incomplete || s.sinceAnswered() < settling), moved: true}
	}
	r := s.result(out, raw.StorageKey)
	r.ContentType, r.FileSize, r.SHA256 = raw.ContentType, raw.FileSize, raw.SHA256
	return brought{results: []task.Result{r}, moved: true, warning: fmt.Sprintf("is kept as it came: easel cannot look into %s", raw.ContentType)}
}
