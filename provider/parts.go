package provider

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"strconv"
	"strings"
)

// TempFile is a picture that is too large to be held in memory: a temporary file without
// a name, which goes with this process. Where no file can be written it is in memory.
type TempFile struct {
	f    *os.File
	size int64  // of what is in f
	more []byte // what comes after that
}

// newFile makes a file in a folder; empty is that of the system.
func newFile(folder string) *TempFile {
	f, err := os.CreateTemp(folder, "easel-*.part")
	if err != nil {
		return &TempFile{} // no files or no room: what was paid for is held in memory
	}
	_ = os.Remove(f.Name()) // where an open file cannot lose its name it is tidied up at the next start
	return &TempFile{f: f}
}

// Write never fails: what the disk does not take stays in memory.
func (f *TempFile) Write(p []byte) (int, error) {
	n := 0
	if f.f != nil && len(f.more) == 0 {
		n, _ = f.f.WriteAt(p, f.size)
		f.size += int64(n)
	}
	f.more = append(f.more, p[n:]...)
	return len(p), nil
}

// Len is how many bytes it has.
func (f *TempFile) Len() int64 { return f.size + int64(len(f.more)) }

// ReadAt implements io.ReaderAt.
func (f *TempFile) ReadAt(p []byte, at int64) (n int, err error) {
	if at < f.size {
		if n, err = f.f.ReadAt(p[:min(int64(len(p)), f.size-at)], at); err != nil {
			return n, err
		}
	}
	if n < len(p) {
		rest, err := bytes.NewReader(f.more).ReadAt(p[n:], at+int64(n)-f.size)
		return n + rest, err
	}
	return n, nil
}

// Open returns a reader of the whole. It holds nothing of its own.
func (f *TempFile) Open() *io.SectionReader { return io.NewSectionReader(f, 0, f.Len()) }

// Close gives the space back. One that is forgotten gives it back some time.
func (f *TempFile) Close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}

// Content returns a reader of the picture that came with the answer, or nil if none did.
func (o *Output) Content() io.ReadSeeker {
	switch {
	case o.File != nil:
		return o.File.Open()
	case len(o.Bytes) > 0:
		return bytes.NewReader(o.Bytes)
	}
	return nil
}

// Unfile gives File back. If the picture lies nowhere else its bytes go to Bytes, for a
// journal to hold them.
func (o *Output) Unfile() error {
	if o.File == nil {
		return nil
	}
	file := o.File
	if o.Key == "" {
		content, err := file.bytes()
		if err != nil {
			return err
		}
		o.Bytes = content
	}
	o.File = nil
	_ = file.Close() // it was read to its end, or is not needed
	return nil
}

// Pictures is how many pictures it is, whether they can be had or not: all that a grid is to be cut into.
func (o *Output) Pictures() int { return max(o.Tiles*o.Tiles, 1) }

// MarshalJSON writes the bytes of a picture that lies in a file and nowhere else: an
// answer that is journalled is whole.
func (o Output) MarshalJSON() ([]byte, error) {
	type plain Output
	if o.File != nil && o.Key == "" {
		content, err := o.File.bytes()
		if err != nil {
			return nil, err
		}
		o.Bytes = content
	}
	return json.Marshal(plain(o))
}

func (f *TempFile) bytes() ([]byte, error) {
	content := make([]byte, f.Len())
	_, err := io.ReadFull(f.Open(), content)
	return content, err
}

// parts are the long texts that were taken out of an answer, as they are written in its JSON.
type parts struct {
	folder string
	file   *TempFile
	ends   []int64 // where each ends in the file
}

// begin begins another part and returns its number.
func (p *parts) begin() int {
	if p.file == nil {
		p.file = newFile(p.folder)
	}
	p.ends = append(p.ends, p.file.Len())
	return len(p.ends) - 1
}

func (p *parts) write(b []byte) {
	p.file.Write(b)
	p.ends[len(p.ends)-1] = p.file.Len()
}

// rest splits off the mark at the end of a text and returns a reader of what it stands
// for. Ok is false for a text without one.
func (p *parts) rest(text []byte) (head []byte, rest *io.SectionReader, ok bool) {
	at := bytes.LastIndex(text, []byte(markBegins))
	if p == nil || at < 0 {
		return text, nil, false
	}
	number, err := strconv.Atoi(strings.TrimSuffix(string(text[at+len(markBegins):]), markEnds))
	if err != nil || number < 0 || number >= len(p.ends) {
		return text, nil, false
	}
	from := int64(0)
	if number > 0 {
		from = p.ends[number-1]
	}
	return text[:at], io.NewSectionReader(p.file, from, p.ends[number]-from), true
}

// decodeFile is decode64 for what does not fit into memory: rest as it is written in
// JSON, with its escapes. What comes before an error is in the file, which is never nil.
func decodeFile(folder string, head []byte, rest io.Reader) (*TempFile, error) {
	decoded := newFile(folder)
	from := base64.NewDecoder(base64.RawStdEncoding, &plain64{r: io.MultiReader(bytes.NewReader(head), rest)})
	_, err := io.Copy(decoded, from)
	return decoded, err
}

// plain64 reads base64 of either alphabet as that of the first one, and leaves out
// spaces, line breaks, padding and the escapes of JSON around them.
type plain64 struct {
	r      io.Reader
	escape []byte // what has come of an escape, with its slash
}

func (p *plain64) Read(b []byte) (int, error) {
	for {
		n, err := p.r.Read(b)
		kept := 0
		for _, c := range b[:n] {
			if c, ok := p.plain(c); ok {
				b[kept] = c
				kept++
			}
		}
		if kept > 0 || err != nil || len(b) == 0 {
			return kept, err
		}
	}
}

// plain returns what is to be read of a byte, if anything is.
func (p *plain64) plain(c byte) (byte, bool) {
	switch {
	case len(p.escape) > 0:
		p.escape = append(p.escape, c)
		if p.escape[1] == 'u' && len(p.escape) < longEscape {
			return 0, false
		}
		c = unescaped(p.escape)
		p.escape = p.escape[:0]
	case c == '\\':
		p.escape = append(p.escape, c)
		return 0, false
	}
	switch c {
	case ' ', '\n', '\r', '\t', '=':
		return 0, false
	case '-':
		c = '+'
	case '_':
		c = '/'
	}
	return c, true
}

// unescaped is the character of an escape of JSON, or one that base64 does not have.
func unescaped(escape []byte) byte {
	switch c := escape[1]; c {
	case 'n', 'r', 't':
		return ' '
	case 'u':
		if code, err := strconv.ParseUint(string(escape[2:]), 16, 16); err == nil && code < 0x80 {
			return byte(code)
		}
		return '!'
	default:
		return c
	}
}
