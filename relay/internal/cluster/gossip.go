package cluster

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"
	"golang.org/x/time/rate"

	"assimilation/tenancy"
)

// Memberlist's times: of two or three relays, one that is gone is suspected
// within a probe and dead suspicion later, some 3 s in all.
const (
	probeInterval = 500 * time.Millisecond
	probeTimeout  = 400 * time.Millisecond
	suspicions    = 4 // probe intervals
)

// gossip is memberlist, which says who lives. It names nobody whom the orders do
// not name.
type gossip struct {
	list  *memberlist.Memberlist
	heard func(tenancy.RelayID, bool) // lives, or not
	known func(tenancy.RelayID) bool
}

func newGossip(self tenancy.RelayID, secret []byte, t *transport, known func(tenancy.RelayID) bool, heard func(tenancy.RelayID, bool), logger *slog.Logger) (*gossip, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "cluster", 32)
	if err != nil {
		return nil, fmt.Errorf("deriving the cluster's key: %w", err)
	}
	g := &gossip{heard: heard, known: known}
	c := memberlist.DefaultLANConfig()
	c.Name, c.Transport, c.SecretKey = self.String(), t, key
	c.ProbeInterval, c.ProbeTimeout, c.SuspicionMult = probeInterval, probeTimeout, suspicions
	c.Events, c.Alive = g, g
	c.Logger = log.New(lines{logger, newComplaints()}, "", 0)
	c.DNSConfigPath = "/dev/null"
	if g.list, err = memberlist.Create(c); err != nil {
		return nil, fmt.Errorf("starting memberlist: %w", err)
	}
	return g, nil
}

// join greets relays that are not members yet.
func (g *gossip) join(addresses []string) {
	if len(addresses) > 0 {
		_, _ = g.list.Join(addresses) // who is not there now is greeted again
	}
}

func (g *gossip) members() map[tenancy.RelayID]bool {
	members := map[tenancy.RelayID]bool{}
	for _, node := range g.list.Members() {
		if id, err := tenancy.ParseID[tenancy.RelayID](node.Name); err == nil {
			members[id] = true
		}
	}
	return members
}

func (g *gossip) close() error { return g.list.Shutdown() }

// NotifyAlive keeps out who is no relay of the site.
func (g *gossip) NotifyAlive(node *memberlist.Node) error {
	id, err := tenancy.ParseID[tenancy.RelayID](node.Name)
	if err != nil || !g.known(id) {
		return errors.New("the orders name no such relay")
	}
	return nil
}

// NotifyJoin is memberlist's word that a relay lives.
func (g *gossip) NotifyJoin(node *memberlist.Node) { g.tell(node, true) }

// NotifyLeave is its word that one does not.
func (g *gossip) NotifyLeave(node *memberlist.Node) { g.tell(node, false) }

// NotifyUpdate is of no interest.
func (g *gossip) NotifyUpdate(*memberlist.Node) {}

func (g *gossip) tell(node *memberlist.Node, lives bool) {
	if id, err := tenancy.ParseID[tenancy.RelayID](node.Name); err == nil {
		g.heard(id, lives)
	}
}

// lines puts memberlist's log into ours. Anybody's datagram may make it say
// something.
type lines struct {
	log  *slog.Logger
	pace *rate.Limiter
}

func (l lines) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level := slog.LevelDebug
	switch {
	case strings.HasPrefix(text, "[ERR]"), strings.HasPrefix(text, "[WARN]"):
		if !l.pace.Allow() {
			return len(line), nil
		}
		level = slog.LevelInfo
	}
	_, text, _ = strings.Cut(text, "memberlist: ")
	l.log.Log(context.Background(), level, "memberlist", "says", text)
	return len(line), nil
}
