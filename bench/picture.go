//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/png"
	"io"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/easelqueue/easel/picture"
)

// drawn is the picture that every call returns: 16 pixels square, and nothing shines through.
var drawn = func() []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 16))); err != nil {
		panic(err)
	}
	return b.Bytes()
}()

// draw is the provider: it does nothing.
func draw() []byte { return drawn }

// shelf is a picture.Lister in memory.
type shelf struct {
	mu   sync.Mutex
	kept map[string]kept
}

type kept struct {
	content []byte
	at      time.Time
}

// pictures are those of this process.
var pictures = &shelf{kept: map[string]kept{}}

// store keeps a picture of those that do the job by hand.
func store(job int64, content []byte) (key, sum string) {
	hash := sha256.Sum256(content)
	key = fmt.Sprintf("%d/0.png", job)
	pictures.put(key, content)
	return key, hex.EncodeToString(hash[:])
}

func (s *shelf) put(key string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[key] = kept{content, time.Now()}
}

func (s *shelf) Put(ctx context.Context, key string, r io.Reader, _ string) error {
	if err := picture.CheckKey(key); err != nil {
		return err
	}
	content, err := io.ReadAll(r)
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case len(content) == 0:
		return picture.ErrEmpty
	}
	s.put(key, content)
	return nil
}

// file is an open picture.
type file struct{ *bytes.Reader }

func (file) Close() error { return nil }

func (s *shelf) Open(_ context.Context, key string) (io.ReadSeekCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, there := s.kept[key]
	if !there {
		return nil, picture.ErrNotFound
	}
	return file{bytes.NewReader(one.content)}, nil
}

func (s *shelf) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, key)
	return nil
}

func (s *shelf) Locate(key string) picture.Location {
	return picture.Location{URL: "http://127.0.0.1:8080/pictures/" + key}
}

func (s *shelf) All(_ context.Context, prefix string) iter.Seq2[picture.Object, error] {
	return func(yield func(picture.Object, error) bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for key, one := range s.kept {
			if strings.HasPrefix(key, prefix) && !yield(picture.Object{Key: key, Size: int64(len(one.content)), Modified: one.at}, nil) {
				return
			}
		}
	}
}
