package codec

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strings"
	"unicode/utf8"
)

// Notes is how a picture came about, to be written into its file.
type Notes struct {
	Prompt   string
	Provider string
	Model    string
	Seed     string
	Task     string // its number
}

// named are the notes in order, without empty ones.
func (n Notes) named() [][2]string {
	all := [][2]string{{"Software", "easel"}, {"prompt", n.Prompt}, {"provider", n.Provider}, {"model", n.Model}, {"seed", n.Seed}, {"task", n.Task}}
	return slices.DeleteFunc(all, func(note [2]string) bool { return note[1] == "" })
}

// Annotate returns the picture with the notes in it: as texts of a PNG, as XMP of a
// JPEG. Its pixels stay as they are, byte for byte. Other pictures, and those whose
// parts cannot be told apart, come back unchanged.
func Annotate(data []byte, n Notes) []byte {
	f, err := sniff(data[:min(len(data), prefixLen)])
	if err != nil {
		return data
	}
	switch f.extension {
	case "png":
		return annotatePNG(data, n)
	case "jpg":
		return annotateJPEG(data, n)
	}
	return data
}

// annotatePNG adds an iTXt chunk for each note, before the pixels.
func annotatePNG(data []byte, n Notes) []byte {
	chunks, err := pngChunks(data)
	at := slices.IndexFunc(chunks, func(c pngChunk) bool { return c.kind == "IDAT" })
	if err != nil || at < 0 {
		return data
	}
	var texts []pngChunk
	for _, note := range n.named() {
		// Keyword, zero, no compression, its method, no language, no translated keyword.
		texts = append(texts, newPNGChunk("iTXt", []byte(note[0]+"\x00\x00\x00\x00\x00"+note[1])))
	}
	return joinPNG(slices.Insert(chunks, at, texts...))
}

const xmpHead = "http://ns.adobe.com/xap/1.0/\x00"

// annotateJPEG adds an XMP packet, which holds 64 kB: of a longer prompt the beginning.
func annotateJPEG(data []byte, n Notes) []byte {
	head, scans, err := jpegSegments(data)
	if err != nil || slices.ContainsFunc(head, func(s jpegSegment) bool { return bytes.HasPrefix(s.data(), []byte(xmpHead)) }) {
		return data // a file has one packet
	}
	packet := xmp(n)
	for len(xmpHead)+len(packet) > maxSegment && n.Prompt != "" {
		half := len(n.Prompt) / 2
		for half > 0 && !utf8.RuneStart(n.Prompt[half]) {
			half--
		}
		n.Prompt = n.Prompt[:half]
		packet = xmp(n)
	}
	if len(xmpHead)+len(packet) > maxSegment {
		return data
	}
	at := 0
	for at < len(head) && (head[at].marker == 0xe0 || bytes.HasPrefix(head[at].data(), []byte(exifHead))) {
		at++
	}
	return joinJPEG(slices.Insert(slices.Clone(head), at, newJPEGSegment(0xe1, []byte(xmpHead+packet))), scans)
}

// xmp is the packet (ISO 16684-1) with the notes as attributes in a name space of ours.
func xmp(n Notes) string {
	var b strings.Builder
	b.WriteString(`<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
		`<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:easel="https://easel.invalid/ns/1.0/" xmp:CreatorTool="easel"`)
	for _, note := range n.named()[1:] {
		b.WriteString(" easel:" + note[0] + `="`)
		_ = xml.EscapeText(&b, []byte(note[1])) // into memory: cannot fail
		b.WriteString(`"`)
	}
	b.WriteString(`/></rdf:RDF></x:xmpmeta><?xpacket end="r"?>`)
	return b.String()
}
