package archtest

// rule forbids direct imports. A pattern is a path in this module, or a whole
// import path; "*" stands for (part of) one path element, a trailing "/..."
// for the package and everything below it, a leading ".../" for any folder.
type rule struct {
	packages []string
	except   []string
	imports  []string // must not import
	allowed  []string // but may import
	because  string
}

// rules follow the layers, lowest first:
//
//	std <- cmdb, wire, tenancy <- uplink, discovery, monitoring, practice
//	    <- discovery/<kind>/{collect,project} <- probe | relay | saas <- cmd, e2e, loadtest
var rules = []rule{
	{
		packages: []string{"cmdb", "wire/...", "practice/...", "relay/internal/ring", "relay/internal/verdict"},
		imports: []string{"net", "net/...", "os", "os/...", "io/ioutil", "syscall", "golang.org/x/sys/...", "golang.org/x/net/...",
			"log", "log/slog", "database/..."},
		allowed: []string{"net/netip"},
		because: "protocol, vocabulary and verdicts are pure: bytes and times come in as arguments, so they can be tested and fuzzed whole",
	},
	{
		packages: []string{"cmdb", "wire/...", "tenancy"},
		imports: []string{"uplink/...", "discovery/...", "monitoring/...", "practice/...", "tenancy/*/...", "probe/...", "relay/...", "saas/...",
			"cmd/...", "e2e/...", "loadtest/...", "internal/..."},
		because: "they are the vocabulary that all others speak",
	},
	{
		packages: []string{"uplink/...", "discovery/...", "monitoring/...", "practice/...", "tenancy/..."},
		imports:  []string{"probe/...", "relay/...", "saas/...", "cmd/...", "e2e/...", "loadtest/..."},
		because:  "contracts know none of the programs that keep them",
	},
	{
		packages: []string{"discovery/..."},
		except:   []string{"discovery/*/collect/...", "discovery/collectors", "discovery/discoverytest"},
		imports:  []string{"discovery/*/collect/..."},
		because:  "collecting is linked into the probe only; discovery/collectors is the list",
	},
	{
		packages: []string{"discovery/..."},
		except:   []string{"discovery/*/project/...", "discovery/projectors", "discovery/discoverytest"},
		imports:  []string{"discovery/*/project/..."},
		because:  "projecting is linked into the service only; discovery/projectors is the list",
	},
	{
		packages: []string{"..."},
		except:   []string{"discovery/portable", "discovery/collectors", "discovery/document"},
		imports:  []string{"discovery/portable", "github.com/shirou/gopsutil/...", "howett.net/plist"},
		because:  "other systems than Linux have collectors of their own; on Linux the probe does without",
	},
	{
		packages: []string{"probe/...", "cmd/assim-probe/..."},
		imports:  []string{"relay/...", "saas/...", "uplink/...", "tenancy/*/...", "discovery/*/project/...", "discovery/projectors"},
		because:  "the probe is small and knows its relay only",
	},
	{
		packages: []string{"probe/...", "cmd/assim-probe/...", "discovery/*/collect/..."},
		imports:  []string{"net/http/...", "database/...", "modernc.org/...", "github.com/spf13/...", "github.com/prometheus/...", "go.opentelemetry.io/...", "internal/telemetry"},
		because:  "each would cost every host of a customer a megabyte or more",
	},
	{
		packages: []string{"relay/...", "cmd/assim-relay/..."},
		imports: []string{"probe/...", "saas/...", "tenancy/*/...", "discovery/*/collect/...", "discovery/collectors", "discovery/*/project/...",
			"discovery/projectors"},
		because: "the relay carries facts; it neither makes nor projects them",
	},
	{
		packages: []string{"saas/...", "cmd/assim-saas/..."},
		imports:  []string{"probe/...", "relay/...", "discovery/*/collect/...", "discovery/collectors"},
		because:  "the service speaks to relays through uplink, and never to a host",
	},
	{
		packages: []string{"cmd/assim/..."},
		imports:  []string{"probe/...", "relay/...", "saas/...", "uplink/...", "wire/...", "tenancy/*/..."},
		because:  "the tenant's command line can do what the API can, and nothing else",
	},
	{
		packages: []string{"..."},
		except:   []string{"cmd/...", "e2e/...", "loadtest/...", "saas/benchestate"},
		imports:  []string{"cmd/...", "e2e/...", "loadtest/..."},
		because:  "nothing depends on what stands on top; saas/benchestate stands there too, and needs the service's inside",
	},
	{
		packages: []string{"..."},
		except:   []string{"saas/...", "tenancy/store/...", "tenancy/tenancytest", "internal/pgtest", "e2e/..."},
		imports:  []string{"github.com/jackc/pgx/...", "github.com/pressly/goose/..."},
		because:  "tenancy/store is the only door to Postgres; tenancy/tenancytest tries to get past it",
	},
	{
		packages: []string{"..."},
		except:   []string{"relay/internal/store/...", "e2e/world"},
		imports:  []string{"modernc.org/sqlite/..."},
		because:  "the relay's store is the only embedded database; e2e/world looks into it as it does into Postgres",
	},
	{
		packages: []string{"..."},
		except:   []string{"relay/internal/cluster/...", "loadtest/...", "e2e/benchswim"},
		imports:  []string{"github.com/hashicorp/memberlist/..."},
		because:  "memberlist serves the few relays of a site, never the hosts; e2e/benchswim measures what that would be like",
	},
	{
		packages: []string{"..."},
		except:   []string{".../*test", "internal/simnet", "discovery/internal/netlab", "e2e/..."},
		imports:  []string{"testing/...", ".../*test", "internal/simnet", "discovery/internal/netlab"},
		allowed:  []string{"loadtest"}, // a program of its own, whatever its name ends with
		because:  "what helps tests is not linked into programs",
	},
}

// features of the service (saas/internal/<feature>) do not import one another:
// each owns its tables, and a transaction belongs to one feature. These may be
// imported across, each for its reason.
var acrossFeatures = []struct{ from, to, because string }{
	{"*", "web", "the frame that all features are served in: who asks, what they may, how a page looks"},
	{"*", "mail", "letters go by one queue"},
	{"*", "outbound", "what tenants name is asked by one client, which keeps to the public internet"},
	{"*", "secondfactor", "codes are computed in one place, which stores nothing"},
	{"*", "audit", "every change that a person makes is recorded in its own transaction"},
	{"*", "quota", "how much a tenant may have is looked up in one place, in its caller's transaction"},
	{"changes", "history", "differences are between two times that must be held"},
	{"hosts", "history", "a host is shown as it was, read by the snapshot that shows it"},
	{"cypher", "history", "a question reads the tables of another time"},
	{"query", "history", "a question reads the tables of another time"},
	{"settings", "history", "the page says how long the past is held"},
	{"*", "relaychan", "the relays' door: envelopes are opened and answers sealed in one place"},
	{"*", "allowance", "what relays may count of a token is leased in one place, in its caller's transaction"},
	{"otelexport", "outbound", "what tenants name is dialled in one way, which reaches the public internet only"},
	{"ingest", "graph", "the storage core: ingest opens the transaction and hands it on"},
	{"ingest", "history", "the storage core: ingest opens the transaction and hands it on"},
}

// forbiddenNames say nothing about what a package is for.
var forbiddenNames = []string{"util", "utils", "common", "helper", "helpers", "misc", "types", "models", "base", "shared", "lib"}

// clockFree packages take time as an argument and never read a clock.
var clockFree = []string{"wire/...", "cmdb", "practice/...", "relay/internal/ring", "relay/internal/verdict"}
