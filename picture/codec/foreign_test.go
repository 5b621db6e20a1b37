package codec

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/easelqueue/easel/internal/budget"
)

func sample(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// moved is the PNG m with the chunks of an animation around its pixels.
func moved(t *testing.T, m image.Image) []byte {
	chunks, err := pngChunks(pngOf(t, m))
	if err != nil {
		t.Fatal(err)
	}
	frame := append(binary.BigEndian.AppendUint32(nil, 1), chunks[1].raw[8:]...)
	all := []pngChunk{chunks[0], newPNGChunk("acTL", make([]byte, 8)), newPNGChunk("fcTL", make([]byte, 26)), chunks[1],
		newPNGChunk("fcTL", make([]byte, 26)), newPNGChunk("fdAT", frame), chunks[2]}
	return joinPNG(all)
}

// misSummed is a PNG with chunks beside its pixels whose sums are wrong.
func misSummed(t *testing.T) []byte {
	m := image.NewPaletted(image.Rect(0, 0, 40, 30), color.Palette{color.NRGBA{255, 0, 0, 128}, color.NRGBA{0, 0, 255, 255}})
	chunks, err := pngChunks(pngOf(t, m))
	if err != nil {
		t.Fatal(err)
	}
	at := 1
	all := append(chunks[:at:at], newPNGChunk("tEXt", []byte("Comment\x00wrong")))
	all = append(all, chunks[at:]...)
	for _, c := range all {
		if c.kind == "tEXt" || c.kind == "tRNS" {
			c.raw[len(c.raw)-1] ^= 1
		}
	}
	return joinPNG(all)
}

func TestCheckAcceptsWhatServicesDraw(t *testing.T) {
	withoutEnd := func(data []byte, end string) []byte { return bytes.TrimSuffix(data, []byte(end)) }
	tests := []struct {
		name    string
		data    []byte
		kind    string
		w, h    int
		decoded bool
	}{
		{"A JPEG with 4:1:1", sample(t, "411.jpg"), "image/jpeg", 40, 30, true},
		{"A JPEG in CMYK", sample(t, "cmyk.jpg"), "image/jpeg", 40, 30, true},
		{"A JPEG whose colours are sampled each in its own way", sample(t, "mixed.jpg"), "image/jpeg", 40, 30, false},
		{"A JPEG whose colours are sampled at a third", sample(t, "three.jpg"), "image/jpeg", 40, 30, false},
		{"A JPEG in arithmetic coding", sample(t, "arithmetic.jpg"), "image/jpeg", 40, 30, false},
		{"A JPEG without its end marker", withoutEnd(jpegOf(t, gradient(40, 30)), jpegEnd), "image/jpeg", 40, 30, true},
		{"A progressive JPEG without its end marker", withoutEnd(sample(t, "progressive.jpg"), jpegEnd), "image/jpeg", 40, 30, true},
		{"A PNG with wrong sums beside its pixels", misSummed(t), "image/png", 40, 30, true},
		{"A PNG without its last chunk", withoutEnd(pngOf(t, gradient(40, 30)), pngEnd), "image/png", 40, 30, true},
		{"A PNG that moves", moved(t, gradient(40, 30)), "image/png", 40, 30, true},
		{"A GIF without its trailer", withoutEnd(gifOf(t, 40, 30, 2), gifEnd), "image/gif", 40, 30, true},
		{"A WebP that moves and shines through", sample(t, "moving.webp"), "image/webp", 40, 30, true},
		{"A WebP whose first frame is small", sample(t, "offset.webp"), "image/webp", 40, 30, true},
		{"An AVIF", sample(t, "plain.avif"), "image/avif", 40, 30, false},
		{"An AVIF that is turned", sample(t, "turned.avif"), "image/avif", 30, 40, false},
		{"An AVIF that is cropped", sample(t, "cropped.avif"), "image/avif", 20, 10, false},
		{"An AVIF that moves", sample(t, "moving.avif"), "image/avif", 40, 30, false},
		{"A HEIC", sample(t, "plain.heic"), "image/heic", 40, 30, false},
		{"A JPEG XL", sample(t, "plain.jxl"), "image/jxl", 40, 30, false},
		{"A JPEG XL in a container", sample(t, "container.jxl"), "image/jxl", 40, 30, false},
	}
	for _, test := range tests {
		t.Run(test.name+" is accepted with its size", func(t *testing.T) {
			got, err := check(t, &Checker{}, test.data)
			if err != nil {
				t.Fatal(err)
			}
			if got.ContentType != test.kind || got.Width != test.w || got.Height != test.h || got.Decoded != test.decoded {
				t.Errorf("got %s of %d x %d, decoded %t", got.ContentType, got.Width, got.Height, got.Decoded)
			}
			sum := sha256.Sum256(test.data)
			if got.SHA256 != hex.EncodeToString(sum[:]) || got.Size != int64(len(test.data)) {
				t.Error("it is not summed as it came")
			}
			if (len(got.Thumbnail.Bytes) > 0) != test.decoded || (got.ThumbnailErr == nil) != test.decoded {
				t.Errorf("thumbnail of %d bytes, %v", len(got.Thumbnail.Bytes), got.ThumbnailErr)
			}
			if key := "1/2-0." + got.Extension; !bytes.Equal(Annotate(test.data, Notes{}), test.data) && !strings.HasPrefix(test.kind, "image/png") && !strings.HasPrefix(test.kind, "image/jpeg") {
				t.Errorf("%s is changed by notes", key)
			}
			if annotated, err := check(t, &Checker{}, Annotate(test.data, Notes{Prompt: "a red fox"})); err != nil || annotated.Width != test.w {
				t.Errorf("with notes: %v", err)
			}
		})
	}
}

func TestCheckShowsTheFirstFrame(t *testing.T) {
	got, err := check(t, &Checker{}, sample(t, "offset.webp"))
	if err != nil {
		t.Fatal(err)
	}
	m := decoded(t, got.Thumbnail.Bytes)
	if r, _, _, a := m.At(15, 9).RGBA(); r>>8 < 200 || a>>8 != 255 {
		t.Error("the first frame is not where it belongs")
	}
	if _, _, _, a := m.At(35, 25).RGBA(); a != 0 {
		t.Error("the canvas around it is not empty")
	}
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	progressive := sample(t, "progressive.jpg")
	lastScan := bytes.LastIndex(progressive, []byte("\xff\xda"))
	if table := bytes.LastIndex(progressive[:lastScan], []byte("\xff\xc4")); table > bytes.LastIndex(progressive[:lastScan], []byte("\xff\xda")) {
		lastScan = table
	}
	tests := map[string][]byte{
		"A JPEG that breaks off in its pixels":          jpegOf(t, gradient(40, 30))[:700],
		"A progressive JPEG that lacks a scan":          progressive[:lastScan],
		"A progressive JPEG that breaks off in a scan":  progressive[:len(progressive)-20],
		"A rare JPEG that breaks off":                   sample(t, "arithmetic.jpg")[:200],
		"A rare JPEG without its end marker":            bytes.TrimSuffix(sample(t, "arithmetic.jpg"), []byte(jpegEnd)),
		"A PNG that breaks off in its pixels":           pngOf(t, gradient(40, 30))[:120],
		"A WebP that breaks off":                        sample(t, "moving.webp")[:250],
		"A GIF that breaks off":                         gifOf(t, 40, 30, 2)[:60],
		"An AVIF that breaks off in its pixels":         sample(t, "plain.avif")[:310],
		"An AVIF that breaks off in its boxes":          sample(t, "plain.avif")[:100],
		"A HEIC that breaks off in its pixels":          sample(t, "plain.heic")[:510],
		"A JPEG XL in a container that breaks off":      sample(t, "container.jxl")[:150],
		"A JPEG XL that breaks off before its size":     sample(t, "plain.jxl")[:4],
		"An AVIF that says nothing of its pixels' size": endless(t, sample(t, "plain.avif"))[:310],
	}
	for name, data := range tests {
		t.Run(name+" is refused as incomplete, and what it is is said", func(t *testing.T) {
			_, err := check(t, &Checker{}, data)
			var bad *Error
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if !bad.Incomplete || !strings.Contains(bad.Message, "is incomplete") {
				t.Errorf("got %q, incomplete %t", bad, bad.Incomplete)
			}
			if bad.Info.ContentType == unknown.contentType || bad.Info.Size != int64(len(data)) || bad.Info.SHA256 == "" {
				t.Errorf("got %+v", bad.Info)
			}
		})
	}
	t.Run("A page of text is kept as nothing that could be shown", func(t *testing.T) {
		_, err := check(t, &Checker{}, []byte("<svg onload='alert(1)'/>"))
		var bad *Error
		if !errors.As(err, &bad) || bad.Incomplete || bad.Info.Extension != "bin" || bad.Info.ContentType != "image/svg+xml" || !bad.Foreign || bad.Text {
			t.Errorf("got %+v", bad)
		}
	})
	t.Run("A picture with wrong pixels is damaged and not incomplete", func(t *testing.T) {
		data := pngOf(t, gradient(40, 30))
		data[60] ^= 0xff
		_, err := check(t, &Checker{}, data)
		var bad *Error
		if !errors.As(err, &bad) || bad.Incomplete || bad.Info.ContentType != "image/png" {
			t.Errorf("got %v", err)
		}
	})
}

// endless is an AVIF whose pixels' box goes on to the end of the file.
func endless(t *testing.T, data []byte) []byte {
	at := bytes.Index(data, []byte("mdat"))
	if at < 4 {
		t.Fatal("there is no box of pixels")
	}
	data = bytes.Clone(data)
	clear(data[at-4 : at])
	return data
}

func TestHeadersAreNotBelieved(t *testing.T) {
	avif := sample(t, "plain.avif")
	wide := bytes.Clone(avif)
	ispe := bytes.Index(wide, []byte("ispe"))
	binary.BigEndian.PutUint32(wide[ispe+8:], 1<<30)
	tests := map[string][]byte{
		"An AVIF that is a million pixels wide": wide,
		"A box as long as the sky":              append(avif[:28:28], "\x00\x00\x00\x01meta\x3f\xff\xff\xff\xff\xff\xff\xff"...),
		"A box without end":                     append(avif[:28:28], "\x00\x00\x00\x00meta"...),
		"A place in parts without number":       heifWith("iloc", "\x01\x00\x00\x00\x00\x00\xff\xff"+strings.Repeat("\x00\x01\x00\x00\x00\x00\xff\xff", 9_000)),
		"Properties without number":             heifWith("iprp", "\x00\x00\x00\x14ipma\x00\x00\x00\x00\xff\xff\xff\xff\x00\x01\xff\x01"),
		"A JPEG XL of a billion pixels a side":  []byte("\xff\x0a\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
		"A WebP canvas of a billion pixels":     []byte("RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\xff\xff\xff\xff\xff\xff"),
		"A JPEG that is 65,535 pixels wide":     []byte("\xff\xd8\xff\xc9\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00\xff\xd9"),
	}
	for name, data := range tests {
		t.Run(name+" is refused without memory for it", func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			wantRefused(t, &Checker{}, data, "")
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 2<<20 {
				t.Errorf("%d bytes were allocated for a file of %d bytes", grown, len(data))
			}
		})
	}
}

// heifWith is a file that holds one box inside meta.
func heifWith(kind, data string) []byte {
	box := func(kind, data string) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(8+len(data)))) + kind + data
	}
	return []byte(box("ftyp", "avif\x00\x00\x00\x00avif") + box("meta", "\x00\x00\x00\x00"+box(kind, data)))
}

func TestCheckWithLittleMemory(t *testing.T) {
	t.Run("A picture that takes more than there is is stored without a small one", func(t *testing.T) {
		got, err := check(t, &Checker{Memory: &budget.Budget{Size: 4000}}, pngOf(t, gradient(40, 30)))
		if err != nil || got.Decoded || got.Width != 40 || got.ThumbnailErr == nil {
			t.Errorf("got %+v, %v", got.Info, err)
		}
	})
	t.Run("It is refused if it breaks off", func(t *testing.T) {
		data := jpegOf(t, gradient(40, 30))
		wantRefused(t, &Checker{Memory: &budget.Budget{Size: 100}}, data[:len(data)-2], "incomplete")
	})
}

func FuzzOutlines(f *testing.F) {
	for _, name := range []string{"411.jpg", "arithmetic.jpg", "container.jxl", "cropped.avif", "mixed.jpg", "moving.avif", "moving.webp",
		"offset.webp", "plain.avif", "plain.heic", "plain.jxl", "progressive.jpg", "three.jpg", "turned.avif"} {
		f.Add(sample(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := (&Checker{Limits: Limits{Pixels: 1 << 16}}).Check(t.Context(), bytes.NewReader(data))
		var bad *Error
		switch {
		case err != nil && !errors.As(err, &bad):
			t.Errorf("got %v, want an *Error", err)
		case err != nil && (bad.Info.Size != int64(len(data)) || bad.Info.ContentType == ""):
			t.Errorf("refused as %+v", bad.Info)
		case err == nil && (got.Width < 1 || got.Height < 1 || got.Width*got.Height > 1<<16):
			t.Errorf("accepted as %+v", got.Info)
		}
	})
}

func TestAFrameIsNotTakenAtItsWord(t *testing.T) {
	data := unbase64(t, webpMoving) // of 1 x 1
	at := bytes.Index(data, []byte("VP8L")) + 9
	binary.LittleEndian.PutUint32(data[at:], 2047|2047<<14|binary.LittleEndian.Uint32(data[at:])&^(1<<28-1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := check(t, &Checker{}, data)
	runtime.ReadMemStats(&after)
	if err == nil || after.TotalAlloc-before.TotalAlloc > 8<<20 {
		t.Errorf("%d bytes were taken for a frame of one pixel that says 2048 x 2048, %v", after.TotalAlloc-before.TotalAlloc, err)
	}
}
