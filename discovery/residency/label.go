package residency

import (
	"strings"
	"unicode"
)

// placeWords are the words of labels that say where a host stands.
var placeWords = map[string]bool{
	"zone": true, "rack": true, "room": true, "row": true, "aisle": true, "cabinet": true, "shelf": true, "slot": true,
	"floor": true, "building": true, "campus": true, "location": true, "place": true, "position": true, "address": true,
	"latitude": true, "longitude": true, "datacenter": true, "datacentre": true,
	"switch": true, "port": true, "chassis": true, "hypervisor": true,
}

// PlaceLabel reports whether a label of that name says where a host stands:
// "rack", "dc.example/Room", "topology_zone". "switchport" is no word of it.
func PlaceLabel(name string) bool {
	for word := range strings.FieldsFuncSeq(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) }) {
		if placeWords[word] {
			return true
		}
	}
	return false
}
