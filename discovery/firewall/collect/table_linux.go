package collect

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"assimilation/discovery"
	kind "assimilation/discovery/firewall"
	"assimilation/discovery/internal/netlink"
	"assimilation/discovery/internal/order"
	"assimilation/discovery/internal/rtnetlink"
)

// Messages of nf_tables: NFNL_SUBSYS_NFTABLES (10) above the number of
// linux/netfilter/nf_tables.h.
const (
	nfTables netlink.Type = 10 << 8

	newTable, getTable     = nfTables + 0, nfTables + 1
	newChain, getChain     = nfTables + 3, nfTables + 4
	newRule, getRule       = nfTables + 6, nfTables + 7
	newSet, getSet         = nfTables + 9, nfTables + 10
	newElement, getElement = nfTables + 12, nfTables + 13

	headerSize = 4 // struct nfgenmsg: family, version, resource
	constant   = 2 // NFT_SET_CONSTANT
)

// Limits of the fact.
const (
	maxTables   = 256
	maxRules    = 16 << 10
	maxElements = 1024
	maxText     = 2048
	maxName     = 128
)

// families by their number (linux/netfilter.h).
var families = map[byte]string{1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}

// ruleset holds the tables by family and name.
type ruleset struct {
	conn   rtnetlink.Conn
	tables map[string]*kind.Facts
	cut    bool
}

// message splits a message into the table that it is about and its attributes, of
// which the first is always that table's name, and no number is above 15.
func (r *ruleset) message(m netlink.Message) (t *kind.Facts, attributes [16][]byte) {
	if len(m.Data) < headerSize {
		return nil, attributes
	}
	attributes = split(m.Data[headerSize:])
	return r.tables[key(m.Data[0], attributes[1])], attributes
}

func key(family byte, name []byte) string { return families[family] + " " + text(name) }

func split(b []byte) (attributes [16][]byte) {
	_ = netlink.Attributes(b, func(kind uint16, data []byte) error {
		if int(kind) < len(attributes) {
			attributes[kind] = data
		}
		return nil
	})
	return attributes
}

// dump asks for all objects of a sort, in all families.
func (r *ruleset) dump(request, want netlink.Type, each func(netlink.Message)) error {
	messages, err := rtnetlink.Dump(r.conn, request, want, make([]byte, headerSize))
	for _, m := range messages {
		each(m)
	}
	return err
}

// read asks for everything.
func (r *ruleset) read() error {
	if err := r.dump(getTable, newTable, func(m netlink.Message) {
		if len(m.Data) < headerSize || families[m.Data[0]] == "" {
			return
		}
		name := split(m.Data[headerSize:])[1]
		if len(r.tables) == maxTables {
			r.cut = true
			return
		}
		r.tables[key(m.Data[0], name)] = &kind.Facts{Family: families[m.Data[0]], Name: discovery.Clean(text(name), maxName), Chains: []kind.Chain{}}
	}); err != nil {
		return err
	}
	if err := r.dump(getChain, newChain, func(m netlink.Message) {
		if t, a := r.message(m); t != nil {
			t.Chains = append(t.Chains, chain(t.Family, a))
		}
	}); err != nil {
		return err
	}
	rules := 0
	if err := r.dump(getRule, newRule, func(m netlink.Message) {
		t, a := r.message(m)
		if rules++; t == nil || rules > maxRules {
			r.cut = r.cut || t != nil
			return
		}
		in := discovery.Clean(text(a[2]), maxName)
		if i := slices.IndexFunc(t.Chains, func(c kind.Chain) bool { return c.Name == in }); i >= 0 {
			t.Chains[i].Rules = append(t.Chains[i].Rules, rule(a))
		}
	}); err != nil {
		return err
	}
	return r.sets()
}

// chain reads NFTA_CHAIN_NAME (3), _HOOK (4) with number (1) and priority (2),
// _POLICY (5) and _TYPE (7).
func chain(family string, a [16][]byte) kind.Chain {
	c := kind.Chain{Name: discovery.Clean(text(a[3]), maxName), Type: discovery.Clean(text(a[7]), maxName)}
	if a[4] == nil {
		return c
	}
	hook := split(a[4])
	names := "prerouting,input,forward,output,postrouting,ingress"
	if family == "netdev" {
		names = "ingress,egress"
	}
	c.Hook = number(hook[1], names)
	if len(hook[2]) == 4 {
		c.Priority = int64(int32(binary.BigEndian.Uint32(hook[2])))
	}
	if a[5] != nil {
		c.Policy = number(a[5], "drop,accept")
	}
	return c
}

// rule reads NFTA_RULE_EXPRESSIONS (4), a list of elements (1) with name (1) and
// data (2), and NFTA_RULE_USERDATA (7), of which nft writes the comment as 0;
// iptables has it in a match of its own.
func rule(a [16][]byte) kind.Rule {
	var r kind.Rule
	var all []string
	_ = netlink.Attributes(a[4], func(_ uint16, element []byte) error {
		e := split(element)
		if m := split(e[2]); text(e[1]) == "match" && text(m[1]) == "comment" {
			r.Comment = discovery.Clean(text(m[3]), maxName)
			all = append(all, `match name="comment"`)
			return nil
		}
		all = append(all, expression(text(e[1]), e[2]))
		return nil
	})
	r.Text = discovery.Clean(strings.Join(all, "; "), maxText)
	for data := a[7]; len(data) > 2 && int(data[1]) <= len(data)-2; data = data[2+int(data[1]):] {
		if data[0] == 0 {
			r.Comment = discovery.Clean(text(data[2:2+int(data[1])]), maxName)
		}
	}
	return r
}

// sets reads NFTA_SET_NAME (2) and _FLAGS (3), and the elements of those that
// cannot change.
func (r *ruleset) sets() error {
	type wanted struct {
		table   *kind.Facts
		set     int
		request []byte
	}
	var constants []wanted
	err := r.dump(getSet, newSet, func(m netlink.Message) {
		t, a := r.message(m)
		if t == nil {
			return
		}
		set := kind.Set{Name: discovery.Clean(text(a[2]), maxName)}
		if len(a[3]) == 4 {
			set.Flags = int64(binary.BigEndian.Uint32(a[3]))
		}
		t.Sets = append(t.Sets, set)
		if set.Flags&constant != 0 {
			request := append([]byte{m.Data[0], 0, 0, 0}, attribute(1, a[1])...)
			constants = append(constants, wanted{t, len(t.Sets) - 1, append(request, attribute(2, a[2])...)})
		}
	})
	for _, w := range constants {
		if err != nil {
			break
		}
		var messages []netlink.Message
		messages, err = rtnetlink.Dump(r.conn, getElement, newElement, w.request)
		for _, m := range messages {
			if len(m.Data) >= headerSize {
				r.elements(&w.table.Sets[w.set], split(m.Data[headerSize:])[3])
			}
		}
	}
	return err
}

// elements reads NFTA_SET_ELEM_KEY (1), _DATA (2), _FLAGS (3), _KEY_END (10).
func (r *ruleset) elements(set *kind.Set, list []byte) {
	_ = netlink.Attributes(list, func(_ uint16, element []byte) error {
		e := split(element)
		one := value(e[1])
		if e[10] != nil {
			one += "-" + value(e[10])
		}
		if len(e[3]) == 4 && e[3][3]&1 != 0 { // NFT_SET_ELEM_INTERVAL_END
			one = "until " + one
		}
		if e[2] != nil {
			one += ": " + value(e[2])
		}
		if len(set.Elements) == maxElements {
			r.cut = true
			return nil
		}
		set.Elements = append(set.Elements, discovery.Clean(one, maxName))
		return nil
	})
	slices.Sort(set.Elements)
}

// attribute encodes one that the kernel gave.
func attribute(kind uint16, data []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(data)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), data...)
	return append(b, make([]byte, -len(b)&3)...)
}

// finish sorts a table, and numbers rules of the same text.
func finish(t *kind.Facts) {
	order.By(t.Chains, func(a, b *kind.Chain) int { return cmp.Compare(a.Name, b.Name) })
	order.By(t.Sets, func(a, b *kind.Set) int { return cmp.Compare(a.Name, b.Name) })
	for i := range t.Chains {
		c := &t.Chains[i]
		copies := map[string]int64{}
		h := sha256.New()
		for j := range c.Rules {
			rule := &c.Rules[j]
			rule.Copy = copies[rule.Text]
			copies[rule.Text]++
			h.Write([]byte(strconv.Quote(rule.Text)))
		}
		if len(c.Rules) > 0 {
			c.Order = hex.EncodeToString(h.Sum(nil)[:8])
		}
	}
}
