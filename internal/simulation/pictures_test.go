package simulation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/easelqueue/easel/picture"
)

// shelf is picture storage that all processes share, in memory.
type shelf struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func newShelf() *shelf { return &shelf{kept: make(map[string][]byte)} }

// hand is how a process reaches the shelf: a picture.Lister.
type hand struct {
	w *world
	p *process
}

func (h hand) Put(ctx context.Context, key string, r io.Reader, _ string) error {
	if err := picture.CheckKey(key); err != nil {
		return err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return h.do(ctx, "put", func() error {
		h.w.shelf.mu.Lock()
		defer h.w.shelf.mu.Unlock()
		h.w.shelf.kept[key] = b
		return nil
	})
}

func (h hand) Open(ctx context.Context, key string) (found io.ReadSeekCloser, err error) {
	err = h.do(ctx, "open", func() error {
		h.w.shelf.mu.Lock()
		defer h.w.shelf.mu.Unlock()
		b, ok := h.w.shelf.kept[key]
		if !ok {
			return picture.ErrNotFound
		}
		found = file{bytes.NewReader(b)}
		return nil
	})
	return found, err
}

func (h hand) Delete(ctx context.Context, key string) error {
	return h.do(ctx, "delete", func() error {
		h.w.shelf.mu.Lock()
		defer h.w.shelf.mu.Unlock()
		delete(h.w.shelf.kept, key)
		return nil
	})
}

func (h hand) All(ctx context.Context, prefix string) iter.Seq2[picture.Object, error] {
	return func(yield func(picture.Object, error) bool) {
		var found []picture.Object
		err := h.do(ctx, "list", func() error {
			h.w.shelf.mu.Lock()
			defer h.w.shelf.mu.Unlock()
			for key, b := range h.w.shelf.kept {
				if strings.HasPrefix(key, prefix) {
					found = append(found, picture.Object{Key: key, Size: int64(len(b)), Modified: time.Now()})
				}
			}
			return nil
		})
		if err != nil {
			yield(picture.Object{}, err)
			return
		}
		slices.SortFunc(found, func(a, b picture.Object) int { return strings.Compare(a.Key, b.Key) })
		for _, o := range found {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (h hand) Locate(key string) picture.Location {
	return picture.Location{URL: "http://easel.example/pictures/" + key}
}

func (h hand) do(ctx context.Context, op string, f func() error) error {
	hindered := h.w.meet(h.p, false, op)
	if err := h.p.pass(); err != nil {
		return err
	}
	left, _ := h.w.outage(&h.w.noStorage)
	switch {
	case hindered != nil:
		return hindered
	case left > 0:
		return errors.New("no space left on device")
	case ctx.Err() != nil:
		return ctx.Err()
	}
	err := f()
	if lost := h.w.meet(h.p, true, op); lost != nil {
		err = lost
	}
	return errors.Join(err, h.p.pass())
}

type file struct{ *bytes.Reader }

func (file) Close() error { return nil }

// sums are the hashes of all pictures by key.
func (s *shelf) sums() map[string]storedPicture {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]storedPicture, len(s.kept))
	for key, b := range s.kept {
		sum := sha256.Sum256(b)
		all[key] = storedPicture{hex.EncodeToString(sum[:]), len(b)}
	}
	return all
}
