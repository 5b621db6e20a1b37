package picture

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrBadKey says that a key cannot name a picture in any store.
var ErrBadKey = errors.New("not a picture key")

// ErrEmpty says that there was nothing to store: a picture is never zero bytes.
var ErrEmpty = errors.New("the picture is empty")

const (
	maxKey  = 512 // bytes; S3 takes 1024, and a prefix may come before ours
	maxName = 200 // bytes between two slashes; file systems take 255
)

// CheckKey returns an error that wraps ErrBadKey unless key means the same file
// in a folder as it means object in a bucket: slash-separated names, each
// visible text of up to 200 bytes that does not begin with a dot, 512 bytes
// together. Names with a leading dot belong to the stores themselves.
func CheckKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: it is empty", ErrBadKey)
	case len(key) > maxKey:
		return fmt.Errorf("%w: it has %d bytes, at most %d are accepted", ErrBadKey, len(key), maxKey)
	case !utf8.ValidString(key):
		return fmt.Errorf("%w: %q is not UTF-8", ErrBadKey, key)
	case strings.ContainsRune(key, '\\'):
		return fmt.Errorf("%w: %q contains a backslash", ErrBadKey, key)
	case strings.ContainsFunc(key, invisible):
		return fmt.Errorf("%w: %q contains a control character", ErrBadKey, key)
	}
	for name := range strings.SplitSeq(key, "/") {
		switch {
		case name == "":
			return fmt.Errorf("%w: %q has an empty name between slashes", ErrBadKey, key)
		case name[0] == '.':
			return fmt.Errorf("%w: %q has a name that begins with a dot", ErrBadKey, key)
		case len(name) > maxName:
			return fmt.Errorf("%w: a name in it has %d bytes, at most %d are accepted", ErrBadKey, len(name), maxName)
		}
	}
	return nil
}

func invisible(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
