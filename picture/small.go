package picture

import "strings"

// PreviewSide is how many pixels the longest side of a preview has.
const PreviewSide = 1280

// Keys of a picture's small ones are its own without extension, one of these, and
// their extension.
const (
	thumbnailMark = ".thumb."
	previewMark   = ".preview."
)

// ThumbnailKey is the key of a thumbnail of the picture whose key without extension is base.
func ThumbnailKey(base, extension string) string { return base + thumbnailMark + extension }

// PreviewKey is the key of the preview that belongs to a thumbnail, and empty if that
// is the picture itself. A picture of no more than 1280 pixels a side has none.
func PreviewKey(thumbnailKey string) string {
	at := strings.LastIndex(thumbnailKey, thumbnailMark)
	if at < 0 {
		return ""
	}
	return thumbnailKey[:at] + previewMark + thumbnailKey[at+len(thumbnailMark):]
}

// HasPreview reports whether a picture of that size is stored with a preview.
func HasPreview(width, height int) bool { return max(width, height) > PreviewSide }

// StrayEnd ends the keys of files that Check has refused. A browser is to save them and
// not to show them: nobody has looked into them.
const StrayEnd = ".kept.bin"
