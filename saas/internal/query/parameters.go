package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
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
)

// maxValue bounds a parameter's value, in bytes.
const maxValue = 255

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
}

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
		switch given := given[p.Name]; {
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

// bind looks hosts up and writes all values as agtype, which is JSON.
func (q *Query) bind(ctx context.Context, tx pgx.Tx, values []any) ([]any, error) {
	bound := make([]any, len(values))
	for i, p := range q.Parameters {
		v := values[i]
		if p.Type == Host {
			id, err := findHost(ctx, tx, v.(string))
			if err != nil {
				return nil, err
			}
			if id == "" {
				return nil, &BadParameter{p.Name, "names no enrolled host, or several: use the id"}
			}
			v = id
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("encoding parameter %s: %w", p.Name, err)
		}
		bound[i] = string(text)
	}
	return bound, nil
}

// findHost returns the id of the one host that has the id or the name.
func findHost(ctx context.Context, tx pgx.Tx, ref string) (string, error) {
	rows, err := tx.Query(ctx, `
		SELECT id::text FROM assim.hosts WHERE retired_at IS NULL AND (lower(name) = lower($1) OR id::text = lower($1))
		ORDER BY id::text = lower($1) DESC LIMIT 2`, ref)
	if err != nil {
		return "", fmt.Errorf("looking up a host: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", fmt.Errorf("looking up a host: %w", err)
	}
	if len(ids) == 1 || len(ids) == 2 && ids[0] == strings.ToLower(ref) {
		return ids[0], nil
	}
	return "", nil
}
