package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"time"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// Times of a stream.
const (
	beatEvery = time.Second
	stallTime = 10 * time.Second // without a frame the stream is given up
	writeTime = 5 * time.Second
	redialMin = 300 * time.Millisecond
)

// stream keeps a stream to a peer open until ctx ends.
func (c *Cluster) stream(ctx context.Context, p *peer, config *tls.Config) {
	config = config.Clone()
	config.VerifyConnection = func(state tls.ConnectionState) error {
		_, err := peerOf(state, only(p.id, c.who))
		return err
	}
	for ctx.Err() == nil {
		c.mu.Lock()
		address := p.order.Cluster
		c.mu.Unlock()
		var err error
		if address == "" {
			err = errors.New("it has not said where it is")
		} else {
			err = c.converse(ctx, p, address, config)
		}
		c.parted(p, err)
		select {
		case <-time.After(redialMin + rand.N(redialMin)):
		case <-ctx.Done():
		}
	}
}

// parted notes that the stream to a peer is over, or was not to be had.
func (c *Cluster) parted(p *peer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.connected, p.refused = false, errors.Is(err, syscall.ECONNREFUSED)
	if err != nil && p.problem != err.Error() {
		p.problem = err.Error()
		c.Log.Debug("the stream to another relay is over", "relay", p.order.Name, "error", err)
	}
	c.nudge()
}

// converse opens a stream and uses it until it breaks.
func (c *Cluster) converse(ctx context.Context, p *peer, address string, config *tls.Config) error {
	conn, err := dial(ctx, address, streamProtocol, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	first, err := read(conn)
	if err != nil {
		return err
	}
	if first.Have == nil {
		return malformed("it does not say what it has")
	}
	hosts, err := c.Store.Hosts(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	p.connected, p.problem, p.copied = true, "", position{}
	clear(p.news)
	for _, h := range hosts {
		if h.ServedBy.IsZero() {
			p.news[h.ID] = struct{}{}
		}
	}
	if p.dead || p.since.IsZero() {
		p.since = time.Now()
	}
	c.mu.Unlock()
	c.hear(p, true)
	c.nudge()
	s := &sender{Cluster: c, peer: p, conn: conn, refusals: make(chan struct{}, 1)}
	if err := s.resume(ctx, *first.Have); err != nil {
		return err
	}
	broken := make(chan error, 1)
	go func() { broken <- s.listen() }() // ends when the connection is closed
	return s.run(ctx, broken)
}

// read waits for a frame, as long as a peer that lives may take.
func read(conn net.Conn) (frame, error) {
	if err := conn.SetReadDeadline(time.Now().Add(stallTime)); err != nil {
		return frame{}, err
	}
	return readFrame(conn)
}

func write(conn net.Conn, f frame) error {
	encoded, err := encodeFrame(f)
	if err != nil {
		return err
	}
	if err := conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err = conn.Write(encoded)
	return err
}

// sender tells one peer what it has to know.
type sender struct {
	*Cluster
	peer     *peer
	conn     net.Conn
	told     position      // what the service holds, as it was told
	sent     store.Records // the newest that were sent; Epoch 0: none
	listed   bool
	refusals chan struct{}
}

// resume goes on behind what the peer has, if that is of the stream as it is.
func (s *sender) resume(ctx context.Context, h have) error {
	head := s.Store.Head()
	if h.Epoch != head.Epoch || h.Last < head.Acked || h.Last > head.Last {
		return nil
	}
	chain, err := s.Store.ChainAt(ctx, h.Last)
	if err != nil {
		return nil // acknowledged meanwhile: begin behind that
	}
	if bytes.Equal(chain[:], h.Chain) {
		s.sent = store.Records{Epoch: h.Epoch, Last: h.Last, Chain: chain}
		s.copied(s.peer, position{h.Epoch, h.Last})
	}
	return nil
}

// listen takes in what the peer answers.
func (s *sender) listen() error {
	for {
		f, err := read(s.conn)
		if err != nil {
			return err
		}
		s.hear(s.peer, false)
		if f.Have == nil {
			continue
		}
		if f.Have.Refused != "" {
			s.Log.Warn("another relay keeps no copy", "relay", s.nameOf(s.peer), "reason", f.Have.Refused)
			select {
			case s.refusals <- struct{}{}:
			default:
			}
			continue
		}
		s.copied(s.peer, position{f.Have.Epoch, f.Have.Last})
	}
}

// run sends until the stream breaks or ctx ends.
func (s *sender) run(ctx context.Context, broken <-chan error) error {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		more, err := s.step(ctx)
		if err != nil {
			return err
		}
		if more {
			continue
		}
		select {
		case <-s.peer.wake:
		case <-beat.C:
			if err := write(s.conn, frame{Beat: true}); err != nil {
				return err
			}
		case <-s.refusals:
			s.sent, s.told = store.Records{}, position{}
			select { // not at once again
			case <-time.After(beatEvery):
			case err := <-broken:
				return err
			case <-ctx.Done():
				return nil
			}
		case err := <-broken:
			if errors.Is(err, io.EOF) {
				err = errors.New("it has closed the stream")
			}
			return err
		case <-ctx.Done():
			// The others need not wait until this relay is missed.
			return write(s.conn, frame{Leaving: true})
		}
	}
}

// step sends one frame of what is to be told, if there is anything.
func (s *sender) step(ctx context.Context) (more bool, err error) {
	if notes, err := s.takeNews(ctx); err != nil || len(notes) > 0 {
		if err == nil {
			err = write(s.conn, frame{Hosts: notes})
		}
		return true, err
	}
	if !s.listed {
		s.listed = true
		return true, write(s.conn, frame{Listed: true})
	}
	head := s.Store.Head()
	if head.Epoch == 0 {
		return false, nil
	}
	if acked := (position{head.Epoch, head.Acked}); acked != s.told {
		s.told = acked
		return true, write(s.conn, frame{Told: &told{head.Epoch, head.Acked, head.AckedChain[:]}})
	}
	if !s.isBuddy() {
		s.sent = store.Records{}
		return false, nil
	}
	return s.copyRecords(ctx, head)
}

func (s *sender) isBuddy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copies.buddy == s.peer
}

// copyRecords sends what follows what was sent. Where the stream was numbered
// anew meanwhile, that is what the service does not hold.
func (s *sender) copyRecords(ctx context.Context, head store.Head) (more bool, err error) {
	base := store.Records{Epoch: head.Epoch, Last: head.Acked, Chain: head.AckedChain}
	if s.sent.Epoch != head.Epoch || s.sent.Last < head.Acked || s.sent.Last > head.Last {
		s.sent = base
	}
	if chain, err := s.Store.ChainAt(ctx, s.sent.Last); err != nil || chain != s.sent.Chain {
		if now := s.Store.Head(); now.Acked != head.Acked || now.Epoch != head.Epoch {
			return true, nil // look again: the service has taken some
		}
		s.sent = base
	}
	next, err := s.Store.RecordsAfter(ctx, s.sent, maxRecords, recordBytes)
	if err != nil || len(next.Encoded) == 0 {
		return false, err
	}
	s.sent = next
	return true, write(s.conn, frame{Records: &records{next.Epoch, next.First, next.Prev[:], next.Encoded}})
}

// takeNews takes some of the hosts of which the peer has to hear.
func (s *sender) takeNews(ctx context.Context) ([]note, error) {
	var ids []tenancy.HostID
	s.mu.Lock()
	for id := range s.peer.news {
		if len(ids) == maxHosts {
			break
		}
		ids = append(ids, id)
		delete(s.peer.news, id)
	}
	s.mu.Unlock()
	if len(ids) == 0 {
		return nil, nil
	}
	hosts, err := s.Store.HostsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	var notes []note
	for _, h := range hosts {
		n := noteOf(h, s.Domain(h.ID))
		if h.ServedBy.IsZero() && n.check() == nil {
			notes = append(notes, n)
		}
	}
	return notes, nil
}

// receive serves the stream that another relay has opened.
func (c *Cluster) receive(ctx context.Context, conn *tls.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	id, err := peerOf(conn.ConnectionState(), c.who)
	if err != nil {
		return // its order went since the handshake
	}
	p := c.peer(id)
	if p == nil {
		return
	}
	if err := c.attend(ctx, p, conn); err != nil && ctx.Err() == nil && !errors.Is(err, io.EOF) {
		c.Log.Info("the stream of another relay is over", "relay", c.nameOf(p), "error", err)
	}
}

func (c *Cluster) attend(ctx context.Context, p *peer, conn net.Conn) error {
	var origin store.Origin
	err := c.Store.Do(ctx, func(tx *store.Tx) (err error) {
		origin, _, err = tx.Origin(p.id)
		return err
	})
	if err != nil {
		return err
	}
	c.hear(p, true)
	if err := write(conn, frame{Have: haveOf(origin, nil)}); err != nil {
		return err
	}
	for {
		f, err := read(conn)
		if err != nil {
			return err
		}
		if c.peer(p.id) != p {
			return errStranger
		}
		c.hear(p, false)
		answer, err := c.take(ctx, p, f)
		if err != nil {
			return err
		}
		if answer != nil {
			if err := write(conn, *answer); err != nil {
				return err
			}
		}
	}
}

// take carries out one frame of a peer.
func (c *Cluster) take(ctx context.Context, p *peer, f frame) (*frame, error) {
	switch {
	case f.Told != nil, f.Records != nil:
		return c.keep(ctx, p, f)
	case len(f.Hosts) > 0:
		return nil, c.learn(ctx, p, f.Hosts)
	case f.Beat:
		return &frame{Beat: true}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p.listed = p.listed || f.Listed
	p.left = p.left || f.Leaving
	c.nudge()
	return nil, nil
}

// keep stores what a peer says of its stream, and says how far it is held.
func (c *Cluster) keep(ctx context.Context, p *peer, f frame) (*frame, error) {
	var origin store.Origin
	var refused error
	err := c.Store.Do(ctx, func(tx *store.Tx) (err error) {
		refused = nil
		if f.Told != nil {
			if err := tx.Told(p.id, f.Told.Epoch, f.Told.Acked, uplink.Chain(f.Told.Chain)); err != nil {
				return err
			}
			origin, _, err = tx.Origin(p.id)
			return err
		}
		r := f.Records
		origin, err = tx.Keep(p.id, store.Records{Epoch: r.Epoch, First: r.First, Prev: uplink.Chain(r.Prev), Encoded: r.Records})
		if errors.Is(err, store.ErrNotNext) || errors.Is(err, store.ErrReplicaFull) {
			refused, err = err, nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &frame{Have: haveOf(origin, refused)}, nil
}

func haveOf(o store.Origin, refused error) *have {
	h := &have{Epoch: o.Epoch, Last: o.Last, Chain: o.Chain[:]}
	if refused != nil {
		h.Refused = refused.Error()
	}
	return h
}

// learn notes which hosts a peer has.
func (c *Cluster) learn(ctx context.Context, p *peer, notes []note) error {
	var moved []store.Host
	err := c.Store.Do(ctx, func(tx *store.Tx) error {
		moved = nil
		for _, n := range notes {
			h := n.host(p.id)
			news, err := tx.LearnHost(h)
			if err != nil {
				return err
			}
			if news {
				moved = append(moved, h)
			}
		}
		return nil
	})
	if err == nil && len(moved) > 0 {
		c.table.Elsewhere(moved)
	}
	return err
}
