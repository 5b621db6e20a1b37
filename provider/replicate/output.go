package replicate

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/easelqueue/easel/provider"
)

// maxDepth bounds how deep a picture may lie in what a model has put out.
const maxDepth = 4

// picturesOf finds the pictures in a model's output, which is what its author made
// it: an address, a list of them, an object with some among its members, or a list
// of such objects. Of an object those members count that are addresses, in the order
// of their names.
func picturesOf(output json.RawMessage, depth int) (found provider.Images) {
	var members map[string]json.RawMessage
	var list []json.RawMessage
	switch {
	case depth > maxDepth:
	case json.Unmarshal(output, &members) == nil:
		for _, name := range slices.Sorted(maps.Keys(members)) {
			found = append(found, picturesOf(members[name], depth+1)...)
		}
		for i := range found {
			json.Unmarshal(members["seed"], &found[i].Seed) // where there is one
		}
	case json.Unmarshal(output, &list) == nil:
		for _, member := range list {
			found = append(found, picturesOf(member, depth+1)...)
		}
	default:
		if text := plain(output); provider.NamesPicture(text) {
			found = append(found, provider.Image{URL: text})
		}
	}
	return found
}
