package cli

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"assimilation/discovery/certificates"
)

// discoveryFlags are what the host's owner decides about discovery. Neither the relay
// nor the service can.
func discoveryFlags(set *flag.FlagSet, o *options) {
	set.Func("tls-hello", "which TCP listeners of this host are asked for their certificates: usual, all, off, or ports by comma (ASSIM_TLS_HELLO)", func(text string) (err error) {
		o.discovery.Hello, err = certificates.ParseHello(text)
		return err
	})
	set.BoolFunc("cloud-metadata", "the cloud's metadata service may be asked (ASSIM_CLOUD_METADATA=yes)", func(text string) (err error) {
		o.discovery.CloudMetadata, err = yes(text)
		return err
	})
}

// discoveryEnvironment sets what no flag of this command line did.
func discoveryEnvironment(set *flag.FlagSet) error {
	for _, of := range []struct{ flag, variable string }{{"tls-hello", "ASSIM_TLS_HELLO"}, {"cloud-metadata", "ASSIM_CLOUD_METADATA"}} {
		value := os.Getenv(of.variable)
		if set.Lookup(of.flag) == nil || value == "" {
			continue
		}
		if err := set.Set(of.flag, value); err != nil {
			return fmt.Errorf("%s: %w", of.variable, err)
		}
	}
	return nil
}

// yes reads a setting, as the environment and as flags have it.
func yes(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "yes", "true", "1":
		return true, nil
	case "no", "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", text)
}
