package check

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
)

// minCanary is the shortest canary: shorter ones are found by chance.
const minCanary = 8

// chunk is how much of a file is looked at in one go.
const chunk = 1 << 20

// search looks for canaries in every file below sinks, and in the books that
// hold what easel itself wrote or said. It returns how many files it read.
func search(folder fs.FS, canaries []string) (files int, hits []Hit, err error) {
	if len(canaries) == 0 {
		return 0, nil, nil
	}
	names := []string{"tables.json", "redis.json", "clients.jsonl"}
	err = fs.WalkDir(folder, "sinks", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, nil, err
	}
	forms := make([][][]byte, len(canaries))
	for i, c := range canaries {
		forms[i] = formsOf(c)
	}
	for _, name := range names {
		found, err := searchFile(folder, name, forms)
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", name, err)
		}
		hits = append(hits, found...)
	}
	return len(names), hits, nil
}

// searchFile reports the first place of each canary in a file.
func searchFile(folder fs.FS, name string, forms [][][]byte) ([]Hit, error) {
	f, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	overlap := 0 // a canary may lie across two chunks
	for _, some := range forms {
		for _, form := range some {
			overlap = max(overlap, len(form)-1)
		}
	}
	var hits []Hit
	seen := make([]bool, len(forms))
	buf := make([]byte, overlap+chunk)
	held, start := 0, int64(0) // bytes kept from before, and where in the file they begin
	for {
		n, err := io.ReadFull(f, buf[held:])
		text := buf[:held+n]
		for i, some := range forms {
			if at := firstOf(text, some); at >= 0 && !seen[i] {
				seen[i] = true
				hits = append(hits, Hit{File: name, Canary: i, Offset: start + int64(at)})
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return hits, nil
		}
		if err != nil {
			return nil, err
		}
		start += int64(len(text) - overlap)
		held = copy(buf, text[len(text)-overlap:])
	}
}

func firstOf(text []byte, forms [][]byte) int {
	first := -1
	for _, form := range forms {
		if at := bytes.Index(text, form); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

var percentEscape = regexp.MustCompile(`%[0-9A-F]{2}`)

// inUnits writes every character as JSON may write any.
func inUnits(secret string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(secret)) {
		b = fmt.Appendf(b, `\u%04x`, u)
	}
	return b
}

// formsOf returns a secret as it is and as URLs, JSON, HTML, hex and base64 carry it.
func formsOf(secret string) [][]byte {
	quoted, _ := json.Marshal(secret) // of a string: cannot fail
	forms := [][]byte{[]byte(secret), quoted[1 : len(quoted)-1], []byte(url.QueryEscape(secret)), []byte(url.PathEscape(secret)),
		[]byte(hex.EncodeToString([]byte(secret))), []byte(html.EscapeString(secret)), inUnits(secret)}
	for _, form := range forms[:len(forms):len(forms)] {
		// Bare signs and escaped slashes in JSON; small letters in addresses.
		bare := strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">", "/", `\/`).Replace(string(form))
		forms = append(forms, []byte(bare), []byte(percentEscape.ReplaceAllStringFunc(string(form), strings.ToLower)))
	}
	for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		// What stands before it shifts it by one or two bytes, as in user:password;
		// the characters that it shares with its neighbours are left out.
		for shift := range 3 {
			text := alphabet.EncodeToString(append(make([]byte, shift), secret...))
			from, to := (shift*8+5)/6, (shift+len(secret))*8/6
			forms = append(forms, []byte(text[from:to]))
		}
	}
	slices.SortFunc(forms, bytes.Compare)
	return slices.CompactFunc(forms, bytes.Equal)
}
