package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// Type of a parameter.
type Type string

// The types.
const (
	String Type = "string"
	Int    Type = "int"
	IP     Type = "ip"
	MAC    Type = "mac"
	Host   Type = "host" // name or id of an enrolled host; the question sees its id

	Duration Type = "duration" // as 90m, 24h or 30d; the question sees seconds
	Regex    Type = "regex"    // of RE2's syntax, as far as Postgres has the same
	Entity   Type = "entity"   // a host, a service or an address, where a walk begins
)

// Limits of a value: bytes, bytes of a regular expression, and a duration.
const (
	maxValue    = 255
	maxRegex    = 100
	maxDuration = 10 * 366 * 24 * time.Hour
)

// readers turn what a person wrote into what the graph has. A host is looked up
// later. Their errors say what is expected and never repeat the input.
var readers = map[Type]func(string) (any, error){
	String: func(s string) (any, error) { return s, nil },
	Host:   func(s string) (any, error) { return s, nil },
	Int: func(s string) (any, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, errors.New("is no whole number")
		}
		return n, nil
	},
	IP: func(s string) (any, error) {
		ip, err := netip.ParseAddr(s)
		if err != nil {
			return nil, errors.New("is no IP address such as 10.0.0.5 or fd00::5")
		}
		return ip.Unmap().WithZone("").String(), nil
	},
	MAC: func(s string) (any, error) {
		mac, err := net.ParseMAC(s)
		if err != nil {
			return nil, errors.New("is no hardware address such as 02:fc:00:00:00:01")
		}
		return mac.String(), nil
	},
	Duration: readDuration,
	Regex:    readRegex,
	Entity:   readEntity,
}

// readDuration reads what time.ParseDuration does, and days.
func readDuration(s string) (any, error) {
	unit := time.Duration(1)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		s, unit = days+"h", 24
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 || d > maxDuration/unit {
		return nil, errors.New("is no duration such as 90m, 24h or 30d")
	}
	return int64((d * unit).Seconds()), nil
}

// readRegex refuses what could take long: RE2 has no references back and bounds
// repetitions. What Postgres reads otherwise than RE2 is refused too.
func readRegex(s string) (any, error) {
	if len(s) > maxRegex {
		return nil, fmt.Errorf("is longer than %d bytes", maxRegex)
	}
	tree, err := syntax.Parse(s, syntax.Perl&^syntax.UnicodeGroups)
	if err != nil {
		return nil, errors.New("is no regular expression, or one with references back, classes by letter or look-around")
	}
	if tree.MaxCap() > maxGroups || strings.HasPrefix(s, "***") {
		return nil, errors.New("is no regular expression of a few groups")
	}
	return s, nil
}

const maxGroups = 10

// BadParameter is what is wrong with a parameter.
type BadParameter struct{ Name, Why string }

func (e *BadParameter) Error() string { return "parameter " + e.Name + " " + e.Why }

// read checks the values given and returns them in the order of declaration.
func (q *Query) read(given map[string][]string) ([]any, error) {
	for name := range given {
		if !q.has(name) {
			return nil, &BadParameter{fmt.Sprintf("%.40q", name), "is none of this query; it takes " + q.usage()}
		}
	}
	values := make([]any, len(q.Parameters))
	for i, p := range q.Parameters {
		given := given[p.Name]
		if p.Default != "" && (len(given) == 0 || len(given) == 1 && given[0] == "") {
			given = []string{p.Default}
		}
		switch {
		case len(given) == 0 || given[0] == "":
			return nil, &BadParameter{p.Name, "is missing: " + p.Doc}
		case len(given) > 1:
			return nil, &BadParameter{p.Name, "is given more than once"}
		case len(given[0]) > maxValue:
			return nil, &BadParameter{p.Name, fmt.Sprintf("is longer than %d bytes", maxValue)}
		case !utf8.ValidString(given[0]) || strings.ContainsRune(given[0], 0):
			return nil, &BadParameter{p.Name, "is not plain text"}
		default:
			v, err := readers[p.Type](given[0])
			if err != nil {
				return nil, &BadParameter{p.Name, err.Error()}
			}
			values[i] = v
		}
	}
	return values, nil
}

func (q *Query) has(name string) bool {
	for _, p := range q.Parameters {
		if p.Name == name {
			return true
		}
	}
	return false
}

func (q *Query) usage() string {
	if len(q.Parameters) == 0 {
		return "none"
	}
	var names []string
	for _, p := range q.Parameters {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// bind looks up what values name and writes them as JSON, which agtype is; before
// them comes the table that a walk makes.
func (q *Query) bind(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, values []any) (bound []any, note string, err error) {
	values = slices.Clone(values)
	var from start
	for i, p := range q.Parameters {
		named, isEntity := values[i].(entity)
		if p.Type == Host {
			id, err := findHost(ctx, tx, values[i].(string))
			if err != nil {
				return nil, "", err
			}
			if id == "" {
				return nil, "", noHost(p.Name)
			}
			values[i], named = id, entity{word: "host", name: id}
		}
		if isEntity {
			values[i] = named.name
		}
		if q.walk.way != "" && q.walk.from == i {
			if from, err = named.find(ctx, tx, tenant, p.Name); err != nil {
				return nil, "", err
			}
		}
	}
	if q.walk.way != "" {
		m, err := q.walk.follow(ctx, tx, tenant, from, q.hops(values))
		if err != nil {
			return nil, "", err
		}
		bound = m.columns()
		if m.cut {
			note = fmt.Sprintf("More than %d services are concerned; the nearest are shown.", maxMet)
		}
	}
	for _, i := range q.bound {
		text, err := json.Marshal(values[i])
		if err != nil {
			return nil, "", fmt.Errorf("encoding parameter %s: %w", q.Parameters[i].Name, err)
		}
		bound = append(bound, string(text))
	}
	return bound, note, nil
}

func noHost(parameter string) error {
	return &BadParameter{parameter, "names no enrolled host, or several: use the id"}
}

// findHost returns the id of the one host that has the id or the name.
func findHost(ctx context.Context, tx pgx.Tx, ref string) (string, error) {
	if id, err := tenancy.ParseID[tenancy.HostID](strings.ToLower(ref)); err == nil {
		found, err := hostIDs(ctx, tx, `id = $1`, id)
		if err != nil || len(found) == 1 {
			return strings.Join(found, ""), err
		}
	}
	found, err := hostIDs(ctx, tx, `name_lower = lower($1)`, ref)
	if err != nil || len(found) != 1 {
		return "", err
	}
	return found[0], nil
}

// hostIDs are at most two.
func hostIDs(ctx context.Context, tx pgx.Tx, which string, value any) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT id::text FROM assim.hosts WHERE retired_at IS NULL AND `+which+` LIMIT 2`, value)
	if err != nil {
		return nil, fmt.Errorf("looking up a host: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("looking up a host: %w", err)
	}
	return ids, nil
}
