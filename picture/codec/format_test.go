package codec

import (
	"testing"

	"github.com/easelqueue/easel/picture"
)

func TestEveryFormatIsServedAsWhatItIs(t *testing.T) {
	for _, f := range append(formats, &unknown) {
		if got := picture.ContentType("7/1-0." + f.extension); got != f.contentType {
			t.Errorf("a %s picture is served as %q, want %q", f.name, got, f.contentType)
		}
	}
}
