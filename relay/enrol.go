package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"assimilation/relay/internal/status"
	"assimilation/relay/internal/store"
	service "assimilation/relay/internal/uplink"
	"assimilation/tenancy"
)

// ErrNoToken: the relay is not enrolled, and has nothing to enrol with.
var ErrNoToken = errors.New("this relay is not enrolled: give it a relay token by ASSIM_TOKEN, ASSIM_TOKEN_FILE or --token-file")

// Refused reports whether err is a refusal that trying again will not change,
// such as of a revoked or damaged token.
func Refused(err error) bool {
	refused, ok := errors.AsType[*service.Refused](err)
	return errors.Is(err, ErrNoToken) || ok && !refused.Reason.Temporary()
}

// Pauses between attempts to enrol.
const (
	shortestPause = time.Second
	longestPause  = time.Minute
)

// Enrolment is what a relay learnt when it was enrolled, for people.
type Enrolment struct {
	Relay    tenancy.RelayID `json:"relay"`
	Site     tenancy.SiteID  `json:"site"`
	SiteName string          `json:"site_name"`
	Service  string          `json:"service"`
}

// Enrol enrols the relay and returns; Run does the same if need be. A relay that
// is enrolled stays as it is, unless it shall be enrolled again; that one, and one that
// was revoked, gets new keys, and keeps what else it has.
func (r *Relay) Enrol(ctx context.Context, again bool) (e Enrolment, err error) {
	r.store, err = store.Open(ctx, r.config.State, store.Options{Log: r.log})
	if err != nil {
		return Enrolment{}, err
	}
	defer func() { err = errors.Join(err, r.store.Close()) }()
	id, _, err := r.store.Identity(ctx)
	if err != nil {
		return Enrolment{}, err
	}
	if again && id.Enrolled {
		// Before it forgets who it was: a token may be read only once.
		text, err := r.config.Token()
		if err == nil {
			_, err = service.ReadToken(text)
		}
		if err != nil {
			return Enrolment{}, err
		}
		r.config.Token = func() (string, error) { return text, nil }
	}
	if id.Revoked || again && id.Enrolled {
		if err := r.drawKeys(ctx); err != nil {
			return Enrolment{}, err
		}
	}
	if id, err = r.identify(ctx); err != nil {
		return Enrolment{}, err
	}
	return Enrolment{id.Enrolment.Relay, id.Enrolment.Site, id.Enrolment.SiteName, id.Enrolment.URL}, nil
}

// identify returns who this relay is, once it is enrolled.
func (r *Relay) identify(ctx context.Context) (store.Identity, error) {
	id, found, err := r.store.Identity(ctx)
	if err != nil {
		return store.Identity{}, err
	}
	if !found {
		// The keys are on disk before anybody hears of them, so that an answer
		// that gets lost is asked for again by the same relay.
		if err := r.drawKeys(ctx); err != nil {
			return store.Identity{}, err
		}
		if id, _, err = r.store.Identity(ctx); err != nil {
			return store.Identity{}, err
		}
	}
	if id.Enrolled {
		return id, nil
	}
	text, err := r.config.Token()
	if err != nil {
		return store.Identity{}, err
	}
	if text == "" {
		return store.Identity{}, ErrNoToken
	}
	token, err := service.ReadToken(text)
	if err != nil {
		return store.Identity{}, err
	}
	enrolment, err := r.ask(ctx, token, id.Keys)
	if err != nil {
		return store.Identity{}, err
	}
	err = r.store.Do(ctx, func(tx *store.Tx) error { return tx.Enrol(enrolment, time.Now().UnixMilli()) })
	if err != nil {
		return store.Identity{}, fmt.Errorf("keeping the enrolment: %w", err)
	}
	r.log.Info("relay enrolled", "relay", enrolment.Relay, "site", enrolment.SiteName, "service", enrolment.URL, "token", token.ID)
	id, _, err = r.store.Identity(ctx)
	return id, err
}

func (r *Relay) drawKeys(ctx context.Context) error {
	keys, err := service.NewKeys()
	if err != nil {
		return err
	}
	if err := r.store.Do(ctx, func(tx *store.Tx) error { return tx.SaveKeys(keys) }); err != nil {
		return fmt.Errorf("keeping the relay's keys: %w", err)
	}
	return nil
}

// ask tries until the service has said yes or no.
func (r *Relay) ask(ctx context.Context, token tenancy.Token, keys store.Keys) (store.Enrolment, error) {
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		r.enter(status.Enrolling, "waiting for the service at "+token.Address)
		enrolment, err := service.Enrol(ctx, token, keys, r.config.Name, r.config.Version)
		if err == nil || Refused(err) || ctx.Err() != nil {
			return enrolment, err
		}
		r.enter(status.Enrolling, err.Error())
		r.log.Warn("enrolling this relay", "error", err, "again_in", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return store.Enrolment{}, ctx.Err()
		}
	}
}
