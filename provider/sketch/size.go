package sketch

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/easelqueue/easel/provider"
)

const (
	defaultSide = 512
	ratioSide   = 1024 // the longer side where only a ratio is given
	maxSide     = 4096
	maxRatio    = 100 // of either number in a ratio
)

// sizes is what size may be, for people.
var sizes = fmt.Sprintf("1x1 to %dx%d, 1K, 2K, 4K, and ratios from 1:%d to %d:1 such as 16:9", maxSide, maxSide, maxRatio, maxRatio)

// parseSize reads "1024x768", "1K", "2K" and "4K", which are squares, and "16:9".
func parseSize(s string) (provider.Size, error) {
	switch strings.ToUpper(s) {
	case "", "AUTO":
		return provider.Size{W: defaultSide, H: defaultSide}, nil
	case "1K":
		return provider.Size{W: 1024, H: 1024}, nil
	case "2K":
		return provider.Size{W: 2048, H: 2048}, nil
	case "4K":
		return provider.Size{W: 4096, H: 4096}, nil
	}
	if size, ok := provider.ParseSize(s); ok && size.W <= maxSide && size.H <= maxSide {
		return size, nil
	}
	if size, ok := parseRatio(s); ok {
		return size, nil
	}
	return provider.Size{}, invalid("size is %.64q; accepted are %s", s, sizes)
}

func parseRatio(s string) (provider.Size, bool) {
	left, right, ok := strings.Cut(s, ":")
	if !ok {
		return provider.Size{}, false
	}
	w, errW := strconv.ParseUint(left, 10, 8)
	h, errH := strconv.ParseUint(right, 10, 8)
	if errW != nil || errH != nil || w < 1 || h < 1 || w > maxRatio || h > maxRatio {
		return provider.Size{}, false
	}
	longest := int(max(w, h))
	return provider.Size{W: max(1, ratioSide*int(w)/longest), H: max(1, ratioSide*int(h)/longest)}, true
}
