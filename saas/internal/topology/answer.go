package topology

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/relaychan"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// toldAgain is after how long a relay that has not answered is told a question
// once more.
const toldAgain = 2 * time.Second

// telling is a question that a relay was told.
type telling struct {
	relay    tenancy.RelayID
	question uuid.UUID
}

// Questions lists what a relay is to answer now and was not told just now.
func (s *Service) Questions(ctx context.Context, relay relaychan.Relay) (open []uplink.Question, err error) {
	now := time.Now()
	err = s.DB.In(ctx, relay.Tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT id, kind, asked_at FROM assim.questions WHERE site = $1 AND asked_at > $2 ORDER BY asked_at LIMIT $3`,
			relay.Site, now.Add(-2*answerTime), uplink.MaxQuestions)
		if err != nil {
			return fmt.Errorf("reading the questions for relay %s: %w", relay.ID, err)
		}
		var id uuid.UUID
		var kind string
		var asked time.Time
		open = nil
		_, err = pgx.ForEachRow(rows, []any{&id, &kind, &asked}, func() error {
			if s.tell(telling{relay.ID, id}, now) {
				open = append(open, uplink.Question{ID: bytes.Clone(id[:]), Kind: kind, At: asked.UnixMilli()})
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading the questions for relay %s: %w", relay.ID, err)
		}
		return nil
	})
	return open, err
}

func (s *Service) tell(t telling, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, at := range s.told {
		if now.Sub(at) > time.Minute {
			delete(s.told, other)
		}
	}
	if now.Sub(s.told[t]) < toldAgain {
		return false
	}
	if s.told == nil {
		s.told = map[telling]time.Time{}
	}
	s.told[t] = now
	return true
}

// Take hands an answer to who waits for it; it is a relaychan.Handler.
func (s *Service) Take(ctx context.Context, r relaychan.Request) ([]byte, error) {
	if r.Relay.Revoked {
		return nil, &wire.Error{Reason: wire.Revoked, What: "relay"}
	}
	a, err := uplink.DecodeAnswer(r.Payload)
	if err != nil {
		return nil, err
	}
	ack := uplink.Ack{Nonce: a.Question}
	s.mu.Lock()
	w := s.waiting[uuid.UUID(a.Question)]
	s.mu.Unlock()
	switch {
	case w == nil:
		ack.Reason, ack.Detail = wire.Expired, "nobody waits for this answer here"
	case w.tenant != r.Relay.Tenant || w.site != r.Relay.Site:
		// As if there were no such question: whether another's relay is asked
		// something is not this one's to know.
		ack.Reason, ack.Detail = wire.Expired, "nobody waits for this answer here"
		s.Log.Warn("relay answered a question of another site", "relay", r.Relay.ID, "tenant", r.Relay.Tenant)
	default:
		given, err := s.read(ctx, r.Relay, a)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		again := w.answered[r.Relay.ID]
		w.answered[r.Relay.ID] = true
		s.mu.Unlock()
		if again { // it was told the question twice
			ack.Reason, ack.Detail = wire.Replayed, "the relay has answered"
			break
		}
		select {
		case w.answers <- given:
		default:
			ack.Reason, ack.Detail = wire.Busy, "more answers than a site has relays"
		}
	}
	return ack.Encode()
}

// read judges an answer. Of what it says of hosts that are not the site's,
// nothing is kept.
func (s *Service) read(ctx context.Context, relay relaychan.Relay, a uplink.Answer) (answer, error) {
	given := answer{relay: relay.ID}
	if a.Reason != wire.Accepted {
		given.problem = a.Reason.String()
		if a.Detail != "" {
			given.problem += ": " + a.Detail
		}
		return given, nil
	}
	if err := s.decode(a.Body, &given.topology); err != nil {
		return answer{}, err
	}
	var hosts []tenancy.HostID
	err := s.DB.Read(ctx, relay.Tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id FROM assim.hosts WHERE site = $1 AND retired_at IS NULL`, relay.Site)
		if err != nil {
			return err
		}
		hosts, err = pgx.CollectRows(rows, pgx.RowTo[tenancy.HostID])
		return err
	})
	if err != nil {
		return answer{}, fmt.Errorf("listing the hosts of site %s: %w", relay.Site, err)
	}
	given.topology = only(given.topology, hosts)
	return given, nil
}

// decode reads a topology, one at a time: a large one takes much memory.
func (s *Service) decode(body []byte, t *uplink.Topology) error {
	if err := weigh(body); err != nil {
		return err
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	if err := json.Unmarshal(body, t); err != nil {
		return &wire.Error{Reason: wire.Malformed, What: "answer is no topology"}
	}
	return check(*t)
}
