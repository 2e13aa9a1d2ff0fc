package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// Event is what happened to a verdict.
type Event string

// The events.
const (
	Opened  Event = "opened"
	Changed Event = "changed" // more hosts, or more evidence
	Over    Event = "over"
	Test    Event = "test"
)

// Notification is what people are told. It stays in the site, so it names hosts,
// switch and zone.
type Notification struct {
	ID         string // of the verdict
	Event      Event
	Kind       string   // of the verdict: "host down"
	Hosts      []string // by name; the first maxHosts are told
	Count      int      // of hosts, where they are more than Hosts
	Domain     string   // switch or subnet; "": none is at fault
	Zone       string
	Since      time.Time // the last sign of life
	At         time.Time // when it was concluded
	Over       time.Time // zero: not yet
	Confidence int       // percent
	Summary    string    // a sentence
}

// Bounds of a message, whatever the names that hosts gave themselves.
const (
	maxHosts = 256
	maxText  = 1024 // bytes of a name or the summary
)

// message is a notification as the channels tell it.
type message struct {
	note Notification
	// key is that of this notification; one that is told again has the same.
	key  string
	body []byte // JSON
	// at is when what is told happened.
	at time.Time
	// relay is by whom it is told.
	relay string
}

// document is the JSON of a message. Its fields are documented in
// docs/notify.md: only append.
type document struct {
	Key        string     `json:"key"`
	ID         string     `json:"id"`
	Event      Event      `json:"event"`
	Kind       string     `json:"kind"`
	Summary    string     `json:"summary"`
	Hosts      []string   `json:"hosts"`
	Count      int        `json:"count"`
	Domain     string     `json:"domain,omitempty"`
	Zone       string     `json:"zone,omitempty"`
	Since      time.Time  `json:"since"`
	At         time.Time  `json:"at"`
	Over       *time.Time `json:"over,omitempty"`
	Confidence int        `json:"confidence"`
	Relay      string     `json:"relay"`
}

// message bounds and cleans a notification, and derives its key from what it
// says.
func (n *Notifier) message(note Notification) *message {
	note.Count = max(note.Count, len(note.Hosts))
	hosts := make([]string, 0, min(len(note.Hosts), maxHosts))
	for _, name := range note.Hosts[:cap(hosts)] {
		hosts = append(hosts, clean(name))
	}
	note.Hosts = hosts
	for _, text := range []*string{&note.ID, &note.Kind, &note.Domain, &note.Zone, &note.Summary} {
		*text = clean(*text)
	}
	d := document{
		ID: note.ID, Event: note.Event, Kind: note.Kind, Summary: note.Summary, Hosts: note.Hosts, Count: note.Count,
		Domain: note.Domain, Zone: note.Zone, Since: note.Since.UTC(), At: note.At.UTC(), Confidence: note.Confidence, Relay: clean(n.relay),
	}
	at := note.At
	if !note.Over.IsZero() {
		at = note.Over
		over := at.UTC()
		d.Over = &over
	}
	digest := sha256.Sum256(encode(d))
	d.Key = note.ID + "-" + string(note.Event) + "-" + hex.EncodeToString(digest[:6])
	return &message{note: note, key: d.Key, body: encode(d), at: at, relay: d.Relay}
}

func encode(d document) []byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err) // it holds texts, numbers and times of this age only
	}
	return b
}

// clean makes one short line of a text that came from a host.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7F && r < 0xA0 || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(cut(text, maxText), "?"))
}

// cut shortens a text to size bytes at most, between two characters.
func cut(text string, size int) string {
	if len(text) <= size {
		return text
	}
	for size > 0 && !utf8.RuneStart(text[size]) {
		size--
	}
	return text[:size]
}
