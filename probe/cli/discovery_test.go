package cli

import (
	"bytes"
	"flag"
	"strings"
	"testing"
)

func TestDiscoveryFlags(t *testing.T) {
	for _, test := range []struct {
		hello, cloud string // of the environment
		arguments    string
		asks443      bool
		metadata     bool
		refused      string
	}{
		{"", "", "", true, false, ""},
		{"off", "yes", "", false, true, ""},
		{"off", "yes", "--tls-hello=443 --cloud-metadata=no", true, false, ""},
		{"", "", "--cloud-metadata", true, true, ""},
		{"sometimes", "", "", false, false, "ASSIM_TLS_HELLO"},
		{"", "perhaps", "", false, false, "neither yes nor no"},
		{"", "", "--tls-hello=0", false, false, "list of ports"},
	} {
		t.Setenv("ASSIM_TLS_HELLO", test.hello)
		t.Setenv("ASSIM_CLOUD_METADATA", test.cloud)
		var errors bytes.Buffer
		o := &options{Streams: Streams{Out: &errors, Err: &errors}}
		c := command{name: "facts", flags: func(set *flag.FlagSet, o *options) { discoveryFlags(set, o) }}
		_, code, ok := c.parse(o, strings.Fields(test.arguments))
		if test.refused != "" {
			if ok || code != exitUsage || !strings.Contains(errors.String(), test.refused) {
				t.Errorf("%+v: %s", test, errors.String())
			}
			continue
		}
		if !ok || o.discovery.Hello.Asks(443) != test.asks443 || o.discovery.CloudMetadata != test.metadata {
			t.Errorf("%+v: %+v %s", test, o.discovery, errors.String())
		}
	}
}
