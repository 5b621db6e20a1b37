package picturetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/easelqueue/easel/picture"
)

var errBroken = errors.New("the source broke")

// broken reads size bytes and then fails.
func broken(size int) io.Reader {
	return io.MultiReader(bytes.NewReader(sample('x', size)), failing{})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }

func brokenReader(t *testing.T, s picture.Store) {
	for _, size := range []int{0, 1, 100_000} {
		err := s.Put(t.Context(), "7/1-0.png", broken(size), "image/png")
		if !errors.Is(err, errBroken) {
			t.Errorf("put of %d bytes and a failure gives %v, want the reader's error", size, err)
		}
		wantNone(t, s, "7/1-0.png")
	}
}

func brokenReplacement(t *testing.T, s picture.Store) {
	put(t, s, "7/1-0.png", sample('a', 5000))
	if err := s.Put(t.Context(), "7/1-0.png", broken(100_000), "image/png"); err == nil {
		t.Error("put with a failing reader gives no error")
	}
	want(t, s, "7/1-0.png", sample('a', 5000))
}

func cancelled(t *testing.T, s picture.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, "7/1-0.png", bytes.NewReader(sample('a', 10)), "image/png"); !errors.Is(err, context.Canceled) {
		t.Errorf("put gives %v, want context.Canceled", err)
	}
	wantNone(t, s, "7/1-0.png")
}

// cancelling ends its context after so many reads, and then goes on.
type cancelling struct {
	io.Reader
	cancel context.CancelFunc
	after  int
	read   int // bytes that were read after the end
}

func (c *cancelling) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.after--; c.after < 0 {
		c.read += n
	}
	if c.after == 0 || err == io.EOF {
		c.cancel()
	}
	return n, err
}

func cancelledMidway(t *testing.T, s picture.Store) {
	const never = 1 << 30
	for _, c := range []struct{ size, after int }{{10, 1}, {1 << 20, 1}, {10, never}, {1 << 20, never}, {64 << 20, 2}} {
		ctx, cancel := context.WithCancel(t.Context())
		r := &cancelling{Reader: io.LimitReader(endless{}, int64(c.size)), cancel: cancel, after: c.after}
		if err := s.Put(ctx, "7/1-0.png", r, "image/png"); !errors.Is(err, context.Canceled) {
			t.Errorf("put of %d bytes gives %v, want context.Canceled", c.size, err)
		}
		if r.read >= 32<<20 {
			t.Errorf("%d bytes were read after the context had ended", r.read)
		}
		wantNone(t, s, "7/1-0.png")
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func empty(t *testing.T, s picture.Store) {
	put(t, s, "7/1-0.png", sample('a', 10))
	for _, key := range []string{"7/1-0.png", "7/1-1.png"} {
		if err := s.Put(t.Context(), key, strings.NewReader(""), "image/png"); !errors.Is(err, picture.ErrEmpty) {
			t.Errorf("put of nothing under %q gives %v, want ErrEmpty", key, err)
		}
	}
	want(t, s, "7/1-0.png", sample('a', 10))
	wantNone(t, s, "7/1-1.png")
}

func racingPuts(t *testing.T, s picture.Store) {
	const size = 200_000
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := s.Put(t.Context(), "7/1-0.png", bytes.NewReader(sample(byte('a'+i), size)), "image/png"); err != nil {
				t.Errorf("put: %v", err)
			}
			got, err := read(t.Context(), s, "7/1-0.png")
			if err != nil || len(got) != size || !bytes.Equal(got, sample(got[0], size)) {
				t.Errorf("a reader saw %d bytes, %v, want one of the pictures whole", len(got), err)
			}
		})
	}
	wg.Wait()
}

func manyPuts(t *testing.T, s picture.Store) {
	var wg sync.WaitGroup
	key := func(i int) string { return fmt.Sprintf("%d/1-%d.png", i%4, i) }
	for i := range 24 {
		wg.Go(func() {
			if err := s.Put(t.Context(), key(i), bytes.NewReader(sample(byte('a'+i), 1000)), "image/png"); err != nil {
				t.Errorf("put: %v", err)
			}
		})
	}
	wg.Wait()
	for i := range 24 {
		want(t, s, key(i), sample(byte('a'+i), 1000))
	}
}

func hostileKeys(t *testing.T, s picture.Store) {
	keys := []string{"", ".", "..", "/", "../escape.png", "7/../../escape.png", "7/./1.png", "/escape.png", "//escape.png", "7//1.png",
		"7/", "7\\1.png", "..\\escape.png", "C:\\escape.png", "7/1\x00.png", "\x00", "7/1\n.png", "7/\xff.png", ".hidden/1.png", "7/.hidden",
		strings.Repeat("n", 300) + ".png", strings.Repeat("n/", 1000) + "1.png"}
	for _, key := range keys {
		if err := s.Put(t.Context(), key, bytes.NewReader(sample('a', 10)), "image/png"); !errors.Is(err, picture.ErrBadKey) {
			t.Errorf("put %.40q gives %v, want ErrBadKey", key, err)
		}
		if _, err := read(t.Context(), s, key); !errors.Is(err, picture.ErrBadKey) {
			t.Errorf("open %.40q gives %v, want ErrBadKey", key, err)
		}
		if err := s.Delete(t.Context(), key); !errors.Is(err, picture.ErrBadKey) {
			t.Errorf("delete %.40q gives %v, want ErrBadKey", key, err)
		}
	}
}

func unicodeKeys(t *testing.T, s picture.Store) {
	keys := []string{"山水/画.png", "山水/书.png", "é/1.png", "🎨.png"}
	for i, key := range keys {
		put(t, s, key, sample(byte('a'+i), 10))
	}
	for i, key := range keys {
		want(t, s, key, sample(byte('a'+i), 10))
	}
}
