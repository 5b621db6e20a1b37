package codec

// Info is what Check found out about a picture.
type Info struct {
	ContentType string // by its content, never by what a server said
	Extension   string // "png", "jpg", "webp", "gif", "avif", "heic", "jxl"; "bin" where nobody knows
	Width       int    // as it is shown: a JPEG may be turned; 0 where that is not known
	Height      int
	Size        int64
	SHA256      string // hex
}
