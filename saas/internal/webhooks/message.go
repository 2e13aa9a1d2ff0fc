package webhooks

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"assimilation/tenancy"
)

// Event is what happened, as other features write it down.
type Event struct {
	ID   int64
	Type string
	At   time.Time // when it was written down
	Seen time.Time // when it happened
	Site *tenancy.SiteID
	Data json.RawMessage // as /v1/events shows it
}

// message is an event on its way to an endpoint.
type message struct {
	Event int64
	ID    string // webhook-id
	Type  string
	At    time.Time
	Body  string
	Tries int
}

// bodyOf is what is sent of an event: type, timestamp and data, as the standard
// recommends.
func bodyOf(kind string, at time.Time, data json.RawMessage) (string, error) {
	body, err := json.Marshal(struct {
		Type      string          `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}{kind, at.UTC(), data})
	if err != nil {
		return "", fmt.Errorf("writing a message: %w", err)
	}
	return string(body), nil
}

// idOf is the webhook-id of an event's message: the same whenever it is made.
func idOf(webhook tenancy.WebhookID, event int64) string {
	return fmt.Sprintf("msg_%s_%d", strings.ReplaceAll(webhook.String(), "-", ""), event)
}

const (
	secretPrefix = "whsec_"
	secretSize   = 32 // bytes; the standard wants 24 to 64
)

func newSecret() []byte {
	secret := make([]byte, secretSize)
	rand.Read(secret) // never fails since Go 1.24
	return secret
}

// shown is the secret as receivers want it.
func shown(secret []byte) string { return secretPrefix + base64.StdEncoding.EncodeToString(secret) }

// sign is the header webhook-signature: one signature for each secret.
func sign(id string, at time.Time, body string, secrets ...[]byte) string {
	var all []string
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		fmt.Fprintf(mac, "%s.%d.%s", id, at.Unix(), body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, " ")
}

// waits are between the tries of a message: the schedule that the standard
// recommends, three days in all.
var waits = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	// Limit is how old an event may be that is still told.
	Limit = 7 * 24 * time.Hour
	// patience is how long an endpoint may take nothing before it is turned off.
	patience = 5 * 24 * time.Hour
	// Waits of an endpoint that does not answer, whatever waits for it.
	firstPause, longPause = 5 * time.Second, 5 * time.Minute
	// longestWish bounds what a Retry-After can ask for.
	longestWish = 24 * time.Hour
)

// jittered is up to a fifth longer than d, so that what failed together is not
// tried together.
func jittered(d time.Duration) time.Duration { return d + mathrand.N(d/5+1) }

// pause is how long an endpoint is left alone after so many failures in a row.
func pause(failures int) time.Duration {
	return jittered(min(firstPause<<min(failures, 10), longPause))
}
