package truth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"assimilation/discovery/certificates"
)

// tlsPorts are some of those that are asked by default, see discovery/certificates.
var tlsPorts = []string{"443", "465", "636", "853", "993", "995", "8443"}

// readServed has openssl connect to each listener as the probe does, and takes the
// chain that it is shown.
func readServed(r Reading) error {
	out, err := r.ask(Served, "ss", "-Htln")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		host, port, err := net.SplitHostPort(fields[3])
		if err != nil || !slices.Contains(tlsPorts, port) {
			continue
		}
		at := map[string]string{"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}[host]
		if at == "" {
			at = host
		}
		if host == "*" {
			host = "::"
		}
		if chain := shown(net.JoinHostPort(at, port)); chain != "" {
			r.Must.add(Served, net.JoinHostPort(host, port)+" "+chain)
		}
	}
	return nil
}

// shown is the SHA-256 of each certificate of a listener; "" where it serves no TLS.
func shown(address string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// It ends with an error where nothing is verified.
	out, _ := exec.CommandContext(ctx, "openssl", "s_client", "-connect", address, "-showcerts", "-noservername").Output()
	var sums []string
	for block, rest := pem.Decode(out); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			sum := sha256.Sum256(block.Bytes)
			sums = append(sums, hex.EncodeToString(sum[:]))
		}
	}
	return strings.Join(sums, ",")
}

func serviceServed(assim, host string, r Records) error {
	facts, err := bodies[certificates.Facts](assim, host, certificates.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, l := range f.Listeners {
			if port := strconv.FormatInt(l.Port, 10); !l.Named && slices.Contains(tlsPorts, port) {
				r.add(Served, fmt.Sprint(net.JoinHostPort(l.IP, port), " ", strings.Join(l.Chain, ",")))
			}
		}
	}
	return nil
}
