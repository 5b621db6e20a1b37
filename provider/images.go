package provider

import (
	"encoding/json"
	"strings"
)

const (
	// maxFound bounds how many pictures are taken from one answer.
	maxFound = 128
	// maxDepth bounds how deep a picture may lie within what names it.
	maxDepth = 4
)

// Image is what an answer says of one picture: where it is, or its content.
type Image struct {
	URL         string          // an address, relative ones too, or a data URL
	Content     []byte          // in base64, of any alphabet
	ContentType string          // as announced; not to be believed
	Prompt      string          // as the service has revised it
	Seed        *int64          // nil if it does not say
	Raw         json.RawMessage // all that the service says of it, where it is an object
}

// Images are the pictures that a value of an answer names, in order: an address, an
// object, or a list of these, in which null and what is neither is left out. An
// object that names no picture is one all the same: it may say why. Decoding into
// it never fails; what it holds stands in the text that was decoded.
type Images []Image

// UnmarshalJSON implements json.Unmarshaler.
func (all *Images) UnmarshalJSON(raw []byte) error {
	*all = appendImages(nil, raw, 0)
	return nil
}

// The names under which services put a picture into an object.
var (
	contentNames = []string{"b64_json", "base64", "b64", "image_base64", "b64_image", "bytesBase64Encoded"}
	addressNames = []string{"url", "image_url", "imageUrl", "uri", "urls", "image_urls", "imageUrls"}
	withinNames  = []string{"image", "images", "data"}
	typeNames    = []string{"content_type", "contentType", "mime_type", "mimeType"}
	promptNames  = []string{"revised_prompt", "revisedPrompt", "actual_prompt"}
)

func appendImages(found Images, raw []byte, depth int) Images {
	if len(found) >= maxFound || depth > maxDepth {
		return found
	}
	switch kindOf(raw) {
	case '"':
		if text := plainText(raw); strings.TrimSpace(text) != "" {
			found = append(found, Image{URL: text})
		}
	case '[':
		for _, member := range membersOf(raw) {
			found = appendImages(found, member, depth+1)
		}
	case '{':
		found = append(found, imagesOf(raw, depth)...)
	}
	return found[:min(len(found), maxFound)]
}

// imagesOf returns the pictures of an object: several if it has a list of addresses.
func imagesOf(raw []byte, depth int) Images {
	var members map[string]view
	json.Unmarshal(raw, &members) // of a valid object: cannot fail
	about := Image{Raw: raw, ContentType: firstText(members, typeNames), Prompt: firstText(members, promptNames)}
	var seed Number
	if json.Unmarshal(members["seed"], &seed) == nil {
		about.Seed = seed.Whole()
	}
	for _, name := range contentNames {
		if content := textIn(members[name]); len(content) > 0 && about.Content == nil {
			about.Content = content
		}
	}
	var named Images
	for _, name := range append(addressNames, withinNames...) {
		if named = appendImages(nil, members[name], depth+1); len(named) > 0 {
			break
		}
	}
	switch {
	case about.Content != nil:
		if len(named) > 0 {
			about.URL = named[0].URL
		}
		return Images{about}
	case len(named) == 0:
		return Images{about}
	}
	for i := range named {
		named[i].inherit(about)
	}
	return named
}

// inherit takes from the object around it what the picture does not say itself.
func (im *Image) inherit(about Image) {
	if im.ContentType == "" {
		im.ContentType = about.ContentType
	}
	if im.Prompt == "" {
		im.Prompt = about.Prompt
	}
	if im.Seed == nil {
		im.Seed = about.Seed
	}
	im.Raw = about.Raw
}

func firstText(members map[string]view, names []string) string {
	for _, name := range names {
		if text := plainText(members[name]); text != "" {
			return text
		}
	}
	return ""
}

// textIn is the text of a JSON value, uncopied where nothing in it is escaped.
func textIn(raw []byte) []byte {
	if kindOf(raw) != '"' {
		return nil
	}
	for _, c := range raw {
		if c == '\\' {
			return []byte(plainText(raw))
		}
	}
	return raw[1 : len(raw)-1] // a view has no space around it
}

// Outputs makes an output of each picture.
func (r Reply) Outputs(all Images) []Output {
	outputs := make([]Output, 0, len(all))
	for i, im := range all {
		outputs = append(outputs, r.Output(i, im))
	}
	return outputs
}

// Contents is Outputs for a place where a plain text is base64 and no address.
func (r Reply) Contents(all Images) []Output {
	outputs := make([]Output, 0, len(all))
	for i, im := range all {
		if im.Raw == nil {
			outputs = append(outputs, r.Picture(i, im.URL, ""))
			continue
		}
		outputs = append(outputs, r.Output(i, im))
	}
	return outputs
}

// Output is the picture at that position. One whose content cannot be read to its end is taken
// from its address, if it has one.
func (r Reply) Output(position int, im Image) Output {
	o := Output{}
	if len(im.Content) > 0 {
		o = r.content(position, im.Content, im.ContentType)
	}
	if len(im.Content) == 0 || im.URL != "" && (o.Err != nil || damaged(im.Content)) {
		o = r.Link(position, im.URL)
	}
	if o.ContentType == "" && o.Err == nil {
		o.ContentType = im.ContentType
	}
	o.RevisedPrompt, o.Seed = im.Prompt, im.Seed
	return o
}
