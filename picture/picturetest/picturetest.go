// Package picturetest holds what every picture.Store must do. A behaviour that
// was wrong in one store becomes a claim here for all of them.
package picturetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/easelqueue/easel/picture"
)

// Run holds the store that open returns to the contract of picture.Store. Open
// is called once for each claim and returns a store that holds no picture yet.
func Run(t *testing.T, open func(t *testing.T) picture.Store) {
	claims := []struct {
		name string
		hold func(t *testing.T, s picture.Store)
	}{
		{"A picture comes back as it was put", comesBack},
		{"A picture can be read from any position", seeks},
		{"Putting a key again replaces the picture", replaces},
		{"A picture that was never put is not found", notFound},
		{"A part of a key is not a picture", partOfKey},
		{"A deleted picture is not found, and deleting it again is no error", deletes},
		{"A failing reader leaves nothing behind", brokenReader},
		{"A failing reader leaves the earlier picture in place", brokenReplacement},
		{"A cancelled context leaves nothing behind", cancelled},
		{"A context that ends in the middle leaves nothing behind", cancelledMidway},
		{"An empty picture is refused", empty},
		{"Puts of one key at the same time leave one of the pictures whole", racingPuts},
		{"Puts of many keys at the same time are all kept", manyPuts},
		{"A key that leaves the store is refused", hostileKeys},
		{"A key in any script is kept apart from others", unicodeKeys},
		{"Locate names the key in an address", locates},
		{"A list names what was put, and nothing else", lists},
		{"A list ends where it is stopped, and with its context", listEnds},
	}
	for _, c := range claims {
		t.Run(c.name, func(t *testing.T) { c.hold(t, open(t)) })
	}
}

func comesBack(t *testing.T, s picture.Store) {
	for _, size := range []int{1, 4 << 10, 3<<20 + 17} {
		put(t, s, "7/1-0.png", sample('a', size))
		want(t, s, "7/1-0.png", sample('a', size))
	}
}

func seeks(t *testing.T, s picture.Store) {
	data := append(sample('a', 1000), sample('b', 1000)...)
	put(t, s, "7/1-0.png", data)
	r, err := s.Open(t.Context(), "7/1-0.png")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := r.Seek(0, io.SeekEnd); n != 2000 || err != nil {
		t.Fatalf("seek to the end gives %d, %v, want 2000", n, err)
	}
	if n, err := r.Seek(990, io.SeekStart); n != 990 || err != nil {
		t.Fatalf("seek to 990 gives %d, %v", n, err)
	}
	got := make([]byte, 20)
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, data[990:1010]) {
		t.Fatalf("read %q, %v, want %q", got, err, data[990:1010])
	}
}

func replaces(t *testing.T, s picture.Store) {
	put(t, s, "7/1-0.png", sample('a', 5000))
	put(t, s, "7/1-0.png", sample('b', 300))
	want(t, s, "7/1-0.png", sample('b', 300))
}

func notFound(t *testing.T, s picture.Store) {
	wantNone(t, s, "7/1-0.png")
}

func partOfKey(t *testing.T, s picture.Store) {
	put(t, s, "7/1-0.png", sample('a', 10))
	wantNone(t, s, "7")
	wantNone(t, s, "7/1-0")
	wantNone(t, s, "7/1-0.png/more.png")
	if err := s.Delete(t.Context(), "7"); err != nil {
		t.Errorf("deleting a part of a key: %v", err)
	}
	want(t, s, "7/1-0.png", sample('a', 10))
}

func deletes(t *testing.T, s picture.Store) {
	put(t, s, "7/1-0.png", sample('a', 10))
	put(t, s, "7/1-1.png", sample('b', 10))
	for range 2 {
		if err := s.Delete(t.Context(), "7/1-0.png"); err != nil {
			t.Fatal(err)
		}
		wantNone(t, s, "7/1-0.png")
	}
	want(t, s, "7/1-1.png", sample('b', 10))
	if err := s.Delete(t.Context(), "7/1-1.png"); err != nil {
		t.Fatal(err)
	}
	put(t, s, "7/1-1.png", sample('c', 10))
	want(t, s, "7/1-1.png", sample('c', 10))
}

func locates(t *testing.T, s picture.Store) {
	put(t, s, "7/1 0?#%.png", sample('a', 10))
	l := s.Locate("7/1 0?#%.png")
	u, err := url.Parse(l.URL)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(u.Path, "/7/1 0?#%.png") || u.RawQuery != "" || u.Fragment != "" {
		t.Errorf("the path of %s is %q, want it to end in the key", l.URL, u.Path)
	}
	if l.LocalPath == "" && l.ObjectURL == "" {
		t.Error("it lies neither on a disk nor in object storage")
	}
	if l.LocalPath != "" && !filepath.IsAbs(l.LocalPath) {
		t.Errorf("the local path %q is not absolute", l.LocalPath)
	}
}

// sample returns size bytes that no other letter's sample has.
func sample(letter byte, size int) []byte { return bytes.Repeat([]byte{letter}, size) }

func put(t *testing.T, s picture.Store, key string, data []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, bytes.NewReader(data), "image/png"); err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}

func read(ctx context.Context, s picture.Store, key string) ([]byte, error) {
	r, err := s.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func want(t *testing.T, s picture.Store, key string, data []byte) {
	t.Helper()
	got, err := read(t.Context(), s, key)
	if err != nil {
		t.Fatalf("open %q: %v", key, err)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("%q has %d bytes that begin with %.8q, want %d bytes of %.8q", key, len(got), got, len(data), data)
	}
}

func wantNone(t *testing.T, s picture.Store, key string) {
	t.Helper()
	if got, err := read(t.Context(), s, key); !errors.Is(err, picture.ErrNotFound) {
		t.Fatalf("open %q gives %d bytes and error %v, want ErrNotFound", key, len(got), err)
	}
}
