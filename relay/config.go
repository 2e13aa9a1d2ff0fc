package relay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"assimilation/internal/telemetry"
	"assimilation/relay/internal/notify"
	"assimilation/relay/internal/store"
	"assimilation/wire"
)

// Config is all that a relay can be told. Everything else it learns from the
// service.
type Config struct {
	State  string // folder of the store
	Listen string // UDP address for probes
	HTTP   string // TCP address of the local status, on loopback
	// Cluster is the TCP and UDP address for other relays of the site; nobody
	// listens there before there are any.
	Cluster string
	// Advertise is this machine's address for other relays and for probes that they
	// send here; zero: that of Cluster, or the first one of the machine.
	Advertise netip.Addr
	// Install is the TCP address at which hosts get what installs a probe; "":
	// nowhere.
	Install string
	// Token gives the relay token. It is called only when the relay has to be
	// enrolled, so that the token need not stay where it was.
	Token   func() (string, error)
	Name    string // by which people know it
	Version string // of the program
	// Outbox is how many bytes of records may wait for the service: beyond that,
	// steps between what was and what is are left out.
	Outbox int64
	// Telemetry sends the relay's own; nil: nothing.
	Telemetry *telemetry.Telemetry
	// Notify is how people at the site are told of verdicts.
	Notify notify.Config
}

// minOutbox is the least that makes sense: some thousand records.
const minOutbox = 256 << 10

// Defaults are the values without flags and environment.
func Defaults() Config {
	name, err := os.Hostname()
	if err != nil {
		name = "relay"
	}
	return Config{
		State:   "/var/lib/assim-relay",
		Listen:  ":" + strconv.Itoa(wire.Port),
		HTTP:    "127.0.0.1:1985",
		Cluster: ":1986",
		Install: ":1987",
		Name:    name,
		Outbox:  store.DefaultBudget,
	}
}

// Check reports all that is wrong.
func (c Config) Check() error {
	var errs []error
	if c.State == "" {
		errs = append(errs, errors.New("no state directory: set --state or ASSIM_STATE"))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("listen address %q is not host:port", c.Listen))
	}
	if _, port, err := net.SplitHostPort(c.Cluster); err != nil || port == "" {
		errs = append(errs, fmt.Errorf("cluster address %q is not host:port", c.Cluster))
	}
	if _, port, err := net.SplitHostPort(c.Install); c.Install != "" && (err != nil || port == "" || port == "0") {
		errs = append(errs, fmt.Errorf("install address %q is neither host:port nor off", c.Install))
	}
	if address, err := netip.ParseAddrPort(c.HTTP); err != nil || !address.Addr().IsLoopback() {
		errs = append(errs, fmt.Errorf("HTTP address %q is not a loopback address with a port", c.HTTP))
	}
	if c.Outbox < minOutbox {
		errs = append(errs, fmt.Errorf("an outbox of %d bytes is less than %d", c.Outbox, minOutbox))
	}
	if c.Name == "" || len(c.Name) > wire.MaxHostName {
		errs = append(errs, fmt.Errorf("name %q is empty or longer than %d bytes", c.Name, wire.MaxHostName))
	}
	return errors.Join(append(errs, c.Notify.Check())...)
}
