package codec

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/internal/budget"
)

func check(t *testing.T, c *Checker, data []byte) (Checked, error) {
	t.Helper()
	return c.Check(t.Context(), bytes.NewReader(data))
}

func wantRefused(t *testing.T, c *Checker, data []byte, phrase string) {
	t.Helper()
	_, err := check(t, c, data)
	var refused *Error
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if !strings.Contains(err.Error(), phrase) {
		t.Errorf("got %q, want it to say %q", err, phrase)
	}
}

func TestCheckAccepts(t *testing.T) {
	files := map[string]struct {
		data []byte
		end  string // without pixels
		want Info
	}{
		"A PNG":           {pngOf(t, gradient(40, 30)), pngEnd, Info{ContentType: "image/png", Extension: "png", Width: 40, Height: 30}},
		"A JPEG":          {jpegOf(t, gradient(40, 30)), jpegEnd, Info{ContentType: "image/jpeg", Extension: "jpg", Width: 40, Height: 30}},
		"A lossless WebP": {unbase64(t, webpLossless), "", Info{ContentType: "image/webp", Extension: "webp", Width: 1, Height: 1}},
		"A lossy WebP":    {unbase64(t, webpLossy), "", Info{ContentType: "image/webp", Extension: "webp", Width: 1, Height: 1}},
		"A GIF":           {gifOf(t, 20, 10, 3), gifEnd, Info{ContentType: "image/gif", Extension: "gif", Width: 20, Height: 10}},
	}
	for name, f := range files {
		t.Run(name+" is accepted", func(t *testing.T) {
			got, err := check(t, &Checker{}, f.data)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(f.data)
			f.want.Size, f.want.SHA256 = int64(len(f.data)), hex.EncodeToString(sum[:])
			if d := cmp.Diff(f.want, got.Info); d != "" {
				t.Error(d)
			}
			if got.ThumbnailErr != nil || len(got.Thumbnail.Bytes) == 0 {
				t.Errorf("thumbnail of %d bytes, %v", len(got.Thumbnail.Bytes), got.ThumbnailErr)
			}
		})
		t.Run(name+" that lacks its end is refused", func(t *testing.T) {
			pixels := len(f.data) - len(f.end)
			for _, keep := range []int{pixels - 4, pixels * 2 / 3, pixels / 2, 14} {
				wantRefused(t, &Checker{}, f.data[:keep], "of ")
			}
		})
		t.Run(name+" in the middle of a reader is read from its beginning", func(t *testing.T) {
			r := bytes.NewReader(f.data)
			r.Seek(5, io.SeekStart)
			if _, err := (&Checker{}).Check(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCheckSaysWhatItFound(t *testing.T) {
	files := map[string]string{
		"\x00\x00\x00\x1cftypisom\x00\x00\x00\x00":  "an MP4",
		"<svg xmlns='http://www.w3.org/2000/svg'/>": "an SVG drawing",
		"\xef\xbb\xbf <?xml version='1.0'?>\n<svg>": "an SVG drawing",
		"<?xml version='1.0'?><Error>":              "an XML document",
		"\n<!DOCTYPE html><title>Log in":            "an HTML page",
		`{"error":"expired"}`:                       "JSON text",
		"Too many requests, come back later":        "text",
		"II*\x00\x08\x00\x00\x00":                   "a TIFF picture",
		"%PDF-1.7":                                  "a PDF document",
		"\x1f\x8b\x08\x00":                          "gzip-compressed data",
		"\x00\x01\x02\x03\xfe\xff":                  "of an unknown kind",
		"":                                          "empty",
	}
	for data, name := range files {
		t.Run("What is "+name+" is named and refused", func(t *testing.T) {
			wantRefused(t, &Checker{}, []byte(data), name)
		})
	}
}

func TestCheckLimits(t *testing.T) {
	t.Run("A file beyond the size limit is refused before the rest is read", func(t *testing.T) {
		r := bytes.NewReader(pngOf(t, gradient(200, 200)))
		_, err := (&Checker{Limits: Limits{Bytes: 100}}).Check(t.Context(), r)
		if err == nil || !strings.Contains(err.Error(), "more than 100 bytes") {
			t.Errorf("got %v", err)
		}
		if read := r.Size() - int64(r.Len()); read != 101 {
			t.Errorf("%d bytes were read, want 101", read)
		}
	})
	t.Run("A file of exactly the limit is accepted", func(t *testing.T) {
		data := pngOf(t, gradient(20, 20))
		if _, err := check(t, &Checker{Limits: Limits{Bytes: int64(len(data)), Side: 20, Pixels: 400}}, data); err != nil {
			t.Error(err)
		}
	})
	t.Run("A side that is too long is refused", func(t *testing.T) {
		wantRefused(t, &Checker{Limits: Limits{Side: 39}}, pngOf(t, gradient(40, 1)), "40 x 1 pixels; no side may be longer than 39")
	})
	t.Run("Too many pixels are refused", func(t *testing.T) {
		wantRefused(t, &Checker{Limits: Limits{Pixels: 1199}}, jpegOf(t, gradient(40, 30)), "40 x 30 pixels; the limit is 1199")
	})
	t.Run("A header that announces gigabytes is refused without memory for them", func(t *testing.T) {
		for _, bomb := range [][]byte{pngHeader(50_000, 50_000), pngHeader(16_384, 16_384), pngHeader(1<<31-1, 1)} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			wantRefused(t, &Checker{}, bomb, "pixels; ")
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
				t.Errorf("%d bytes were allocated for a file of %d bytes", grown, len(bomb))
			}
		}
	})
	t.Run("Too many frames are refused", func(t *testing.T) {
		wantRefused(t, &Checker{Limits: Limits{Frames: 2}}, gifOf(t, 4, 4, 3), "more than 2 frames")
	})
	t.Run("Frames are not read beyond the limit", func(t *testing.T) {
		data := gifOf(t, 4, 4, 4)
		wantRefused(t, &Checker{Limits: Limits{Frames: 2}}, data[:len(data)-10], "more than 2 frames")
	})
	t.Run("Frames with too many pixels together are refused", func(t *testing.T) {
		wantRefused(t, &Checker{Limits: Limits{Pixels: 250}}, gifOf(t, 10, 10, 3), "300 pixels together")
	})
	t.Run("A GIF without a frame is refused", func(t *testing.T) {
		wantRefused(t, &Checker{}, []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00\x3b"), "no frame")
	})
}

func TestCheckFaults(t *testing.T) {
	data := pngOf(t, gradient(40, 30))
	broken := errors.New("input/output error")
	t.Run("A reader that fails is not taken for a bad picture", func(t *testing.T) {
		for after := range 3 {
			_, err := (&Checker{}).Check(t.Context(), &failingSeeker{bytes.NewReader(data), broken, after})
			var refused *Error
			if !errors.Is(err, broken) || errors.As(err, &refused) {
				t.Errorf("failing after %d rewinds: got %v, want the reader's own error", after, err)
			}
		}
	})
	t.Run("A cancelled check ends with the context's error", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := (&Checker{}).Check(ctx, bytes.NewReader(data)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("A decoder that panics refuses the picture", func(t *testing.T) {
		f := &format{name: "PNG", decode: func(io.Reader, int64) (image.Image, error) { panic("index out of range") }}
		_, err := (&exam{r: bytes.NewReader(data), f: f}).decoded()
		var refused *Error
		if !errors.As(err, &refused) {
			t.Errorf("got %v, want an *Error", err)
		}
	})
	t.Run("A picture that decodes to another size is refused", func(t *testing.T) {
		if _, err := (&exam{r: bytes.NewReader(data), f: formats[0], info: Info{Width: 40, Height: 31}}).decoded(); err == nil {
			t.Error("it was accepted")
		}
	})
}

// failingSeeker fails to read once it was rewound more than after times.
type failingSeeker struct {
	*bytes.Reader
	err   error
	after int
}

func (f *failingSeeker) Seek(offset int64, whence int) (int64, error) {
	f.after--
	return f.Reader.Seek(offset, whence)
}

func (f *failingSeeker) Read(p []byte) (int, error) {
	if f.after < 0 {
		return iotest.ErrReader(f.err).Read(p)
	}
	return f.Reader.Read(p)
}

func TestCheckMemory(t *testing.T) {
	t.Run("A check waits while others hold the memory, and ends with its context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := &Checker{Memory: &budget.Budget{Size: 100_000}}
			free, err := c.reserve(t.Context(), 99_000)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			data, done := pngOf(t, gradient(40, 30)), make(chan error, 2)
			go func() { _, err := c.Check(ctx, bytes.NewReader(data)); done <- err }()
			synctest.Wait()
			if len(done) != 0 {
				t.Fatal("the check did not wait")
			}
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
			go func() { _, err := c.Check(t.Context(), bytes.NewReader(data)); done <- err }()
			synctest.Wait()
			free()
			if err := <-done; err != nil {
				t.Errorf("once the memory is free: %v", err)
			}
		})
	})
}

func FuzzCheck(f *testing.F) {
	for _, data := range [][]byte{pngOf(f, gradient(9, 9)), jpegOf(f, gradient(9, 9)), gifOf(f, 3, 3, 2), pngHeader(50_000, 50_000),
		unbase64(f, webpLossless), unbase64(f, webpLossy), unbase64(f, webpMoving), []byte("<svg>"), []byte("GIF89a"), nil} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &Checker{Limits: Limits{Pixels: 1 << 20}}
		got, err := c.Check(t.Context(), bytes.NewReader(data))
		var refused *Error
		switch {
		case err != nil && !errors.As(err, &refused):
			t.Errorf("got %v, want an *Error", err)
		case err == nil && (got.Width < 1 || got.Height < 1 || got.Width*got.Height > 1<<20 || got.Size != int64(len(data))):
			t.Errorf("accepted as %+v", got.Info)
		}
	})
}
