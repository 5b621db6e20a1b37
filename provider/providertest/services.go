package providertest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"strings"
)

const (
	pictures = "/pictures/"
	// pictureSignature is the query of a picture's URL, with bytes that a client which
	// reads and rewrites URLs would change. Any other query is refused.
	pictureSignature = "X-Sig=a%2Fb%3D+c%20d&x=1&&y"
)

// OpenAI answers as OpenAI's image endpoints do: n pictures in base64.
func OpenAI(_ *Server, body []byte) []byte {
	var asked struct {
		Prompt string
		N      int
	}
	json.Unmarshal(body, &asked)
	type picture struct {
		Base64 []byte `json:"b64_json"`
	}
	data := make([]picture, 0, asked.N)
	for i := range max(asked.N, 1) {
		data = append(data, picture{Picture(fmt.Sprint(asked.Prompt, i))})
	}
	return must(json.Marshal(map[string]any{"created": 1795300000, "data": data, "output_format": "png", "size": "64x64",
		"usage": map[string]int{"total_tokens": 304, "input_tokens": 32, "output_tokens": 272}}))
}

// Ark answers as Volcengine Ark does: signed URLs of pictures that this server has.
func Ark(s *Server, body []byte) []byte {
	var asked struct {
		Model   string
		Prompt  string
		Options struct {
			MaxImages int `json:"max_images"`
		} `json:"sequential_image_generation_options"`
	}
	json.Unmarshal(body, &asked)
	n := max(asked.Options.MaxImages, 1)
	data := make([]map[string]string, 0, n)
	for i := range n {
		data = append(data, map[string]string{"url": s.PictureURL(fmt.Sprint(asked.Prompt, i)), "size": "64x64"})
	}
	return must(json.Marshal(map[string]any{"model": asked.Model, "created": 1795300000, "data": data,
		"usage": map[string]int{"generated_images": n, "output_tokens": 16, "total_tokens": 16}}))
}

// PictureURL returns a signed address of Picture(seed) on this server.
func (s *Server) PictureURL(seed string) string {
	sum := sha256.Sum256([]byte(seed))
	return s.URL + pictures + hex.EncodeToString(sum[:8]) + ".png?" + pictureSignature
}

// Picture returns a PNG of 64 x 64 pixels whose colour follows from seed.
func Picture(seed string) []byte {
	sum := sha256.Sum256([]byte(seed))
	return colour(sum[:8])
}

func colour(sum []byte) []byte {
	m := image.NewRGBA(image.Rect(0, 0, 64, 64))
	fill := color.RGBA{R: sum[0], G: sum[1], B: sum[2], A: 255}
	draw.Draw(m, m.Bounds(), image.NewUniform(fill), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err) // into memory: cannot fail
	}
	return b.Bytes()
}

// sumOf reads the address of a picture on s; those of previews are none.
func (s *Server) sumOf(address string) ([]byte, bool) {
	name, ok := strings.CutPrefix(address, s.URL+pictures)
	if !ok || len(name) < 16 || address == s.PictureURL("preview") {
		return nil, false
	}
	sum, err := hex.DecodeString(name[:16])
	return sum, err == nil
}

func (s *Server) picture(w http.ResponseWriter, r *http.Request) {
	var name string
	fmt.Sscanf(r.URL.Path, pictures+"%16s", &name)
	sum, err := hex.DecodeString(name)
	if err != nil || len(sum) < 3 {
		http.NotFound(w, r)
		return
	}
	if r.URL.RawQuery != pictureSignature {
		http.Error(w, "the signature does not match", http.StatusForbidden)
		return
	}
	s.mu.Lock()
	behaviour := s.download
	s.mu.Unlock()
	if behaviour != nil {
		behaviour.Serve(w, r, colour(sum))
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Write(colour(sum))
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err) // of our own maps and strings: cannot fail
	}
	return b
}
