package saas

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"assimilation/internal/telemetry"
)

// Config is what the service is told. The zero value of a field that has a
// default is replaced by Default's.
type Config struct {
	DatabaseURL   string // administrator's URL (ASSIM_DATABASE_URL)
	MasterKeyFile string // ASSIM_MASTER_KEY_FILE
	Listen        string // host:port (ASSIM_LISTEN)
	URL           string // how people and relays reach the service (ASSIM_URL)
	Downloads     string // folder of the programs that are served (ASSIM_DOWNLOADS)
	// MetricsListen is host:port of /metrics, which the public has no business
	// to read; "" serves none (ASSIM_METRICS_LISTEN).
	MetricsListen string
	// TrustedProxies are addresses and networks, by comma, of reverse proxies that
	// append the client's address to X-Forwarded-For. Without them everyone behind
	// a proxy shares one allowance of log-ins (ASSIM_TRUSTED_PROXIES).
	TrustedProxies string
	// SMTP is how letters go, see package mail; "" sends none, and takes people in
	// without asking whether an address is theirs (ASSIM_SMTP).
	SMTP     string
	MailFrom string // address that letters come from (ASSIM_MAIL_FROM)
	// PrivateIssuers lets tenants name identity providers at private addresses: where
	// the tenants are one's own (ASSIM_PRIVATE_ISSUERS=true).
	PrivateIssuers bool
	// PrivateCollectors lets tenants have their data sent to private addresses, and
	// without TLS (ASSIM_PRIVATE_COLLECTORS=true).
	PrivateCollectors bool
	// DeletionGrace is how long a tenant that is to be deleted can still be kept
	// (ASSIM_DELETION_DAYS, default 7).
	DeletionGrace time.Duration
	Telemetry     *telemetry.Telemetry // the service's own; nil: none
	Version       string

	proxies []netip.Prefix
}

// Default reads the environment and fills in what it leaves open.
func Default(getenv func(string) string) Config {
	c := Config{
		DatabaseURL:   getenv("ASSIM_DATABASE_URL"),
		MasterKeyFile: getenv("ASSIM_MASTER_KEY_FILE"),
		Listen:        getenv("ASSIM_LISTEN"),
		URL:           getenv("ASSIM_URL"),
		Downloads:     getenv("ASSIM_DOWNLOADS"),

		MetricsListen:  getenv("ASSIM_METRICS_LISTEN"),
		TrustedProxies: getenv("ASSIM_TRUSTED_PROXIES"),
		SMTP:           getenv("ASSIM_SMTP"),
		MailFrom:       getenv("ASSIM_MAIL_FROM"),
		PrivateIssuers: getenv("ASSIM_PRIVATE_ISSUERS") == "true",

		PrivateCollectors: getenv("ASSIM_PRIVATE_COLLECTORS") == "true",
	}
	days := getenv("ASSIM_DELETION_DAYS")
	if days == "" {
		days = "7"
	}
	// A number that cannot be read is refused by Validate.
	c.DeletionGrace = -1
	if n, err := strconv.ParseUint(days, 10, 16); err == nil {
		c.DeletionGrace = time.Duration(n) * 24 * time.Hour
	}
	if c.MasterKeyFile == "" {
		c.MasterKeyFile = "/var/lib/assim-saas/master.key"
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if c.Downloads == "" {
		if program, err := os.Executable(); err == nil {
			c.Downloads = filepath.Dir(program)
		}
	}
	return c
}

// Validate returns all that is wrong with the configuration.
func (c *Config) Validate() error {
	var faults []error
	if c.DatabaseURL == "" {
		faults = append(faults, errors.New("no database: set ASSIM_DATABASE_URL to postgres://user:password@host/database, a superuser's; `ops/postgres/up.sh` starts one for development"))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		faults = append(faults, fmt.Errorf("listen address %q is not host:port", c.Listen))
	}
	if _, _, err := net.SplitHostPort(c.MetricsListen); c.MetricsListen != "" && err != nil {
		faults = append(faults, fmt.Errorf("metrics address %q is not host:port", c.MetricsListen))
	}
	if c.DeletionGrace < 0 {
		faults = append(faults, errors.New("ASSIM_DELETION_DAYS is not a number of days"))
	}
	c.proxies = nil
	for _, text := range strings.FieldsFunc(c.TrustedProxies, func(r rune) bool { return r == ',' || r == ' ' }) {
		network, err := netip.ParsePrefix(text)
		if ip, plain := netip.ParseAddr(text); plain == nil {
			network, err = ip.Prefix(ip.BitLen())
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("trusted proxy %q is neither an address nor a network", text))
		}
		c.proxies = append(c.proxies, network)
	}
	if c.URL == "" {
		c.URL = "http://" + c.Listen
	}
	if u, err := url.Parse(c.URL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		faults = append(faults, fmt.Errorf("public URL %q is not https://host[:port]", c.URL))
	}
	return errors.Join(faults...)
}
