package certificates

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Hello says which TCP listeners of its own host a probe asks for their certificates,
// by the greeting of a TLS client. The zero value: those at usual ports.
type Hello struct {
	all   bool
	ports []int64 // nil: the usual ones
}

// usual are the ports that are registered for TLS, or are used for it by the servers
// that most people have. Who listens there expects a greeting. A server that speaks
// before its client, or that takes any bytes for a command (9100 prints them), has
// none of these.
var usual = []int64{
	443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 2376, 2379, 2380, 3269, 4443, 5061, 5223, 5349, 5671, 5986, 6443, 6514, 6697,
	7443, 8006, 8200, 8443, 8501, 8883, 9443, 10250, 10257, 10259, 15671, 16514,
}

// ParseHello reads a setting: "usual", "all", "off", or ports by comma.
func ParseHello(text string) (Hello, error) {
	switch text = strings.TrimSpace(text); text {
	case "", "usual":
		return Hello{}, nil
	case "all":
		return Hello{all: true}, nil
	case "off":
		return Hello{ports: []int64{}}, nil
	}
	h := Hello{}
	for _, word := range strings.Split(text, ",") {
		port, err := strconv.ParseUint(strings.TrimSpace(word), 10, 16)
		if err != nil || port == 0 {
			return Hello{}, fmt.Errorf("%q is none of usual, all, off, and no list of ports by comma", text)
		}
		h.ports = append(h.ports, int64(port))
	}
	return h, nil
}

// Asks reports whether a listener at the port is asked.
func (h Hello) Asks(port int64) bool {
	if h.ports == nil {
		return h.all || slices.Contains(usual, port)
	}
	return slices.Contains(h.ports, port)
}
