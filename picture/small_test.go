package picture

import "testing"

func TestKeysOfSmallPictures(t *testing.T) {
	if got := PreviewKey(ThumbnailKey("7/1-0", "jpg")); got != "7/1-0.preview.jpg" {
		t.Errorf("got %s", got)
	}
	if got := PreviewKey("7/1-0.png"); got != "" {
		t.Errorf("a picture that is its own thumbnail has the preview %s", got)
	}
}
