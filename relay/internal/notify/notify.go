// Package notify tells people at the site what their relay concluded, whether or
// not the service can be reached: by a program, a webhook, syslog and mail.
//
// Each channel has its own queue and goroutine, so that none delays another, and
// tells in order. A channel that fails is tried again for an hour, at first after
// a second and then ever more seldom, up to once a minute; a refusal that will
// stay one ends it at once. While it fails its queue grows to at most 256: then
// the oldest are dropped, and counted.
//
// So a notification arrives at least once while the relay runs: a receiver
// knows those that it has had by their key. The queues are in memory: what a
// relay had not told when it was stopped it will not tell; its verdicts are
// durable, and the service hears of them.
package notify

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Config names the channels; one that is empty is not used.
type Config struct {
	Exec          string // absolute path of a program
	Webhook       string // http:// or https:// URL
	WebhookSecret string // whsec_ and base64, or any text; "": not signed
	Syslog        string // udp://host:514, tcp://host:601, unixgram:///path or local
	SMTP          string // smtp[s]://[user[:password]@]host[:port]?from=address&to=address,address
	Relay         string // by which people know this relay
}

// channel is one way to tell.
type channel interface {
	// tell makes one attempt. An error that is final says that another is useless.
	tell(ctx context.Context, m *message) error
}

// final is an error that trying again will not mend.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// Notifier tells through all channels of a configuration.
type Notifier struct {
	relay    string
	log      *slog.Logger
	couriers []*courier
}

// Check says what is wrong with which channel.
func (c Config) Check() error {
	_, err := New(c, slog.New(slog.DiscardHandler))
	return err
}

// New opens the channels; its error is Check's.
func New(config Config, log *slog.Logger) (*Notifier, error) {
	n := &Notifier{relay: config.Relay, log: log}
	var errs []error
	for _, kind := range []struct {
		name, target string
		open         func(Config) (channel, error)
	}{
		{"exec", config.Exec, openHook},
		{"webhook", config.Webhook, openWebhook},
		{"syslog", config.Syslog, openSyslog},
		{"smtp", config.SMTP, openMail},
	} {
		if kind.target == "" {
			continue
		}
		c, err := kind.open(config)
		if err != nil {
			errs = append(errs, &channelError{kind.name, err})
			continue
		}
		n.couriers = append(n.couriers, newCourier(kind.name, c, log))
	}
	return n, errors.Join(errs...)
}

// channelError says which channel it is about.
type channelError struct {
	channel string
	err     error
}

func (e *channelError) Error() string { return "notifying by " + e.channel + ": " + e.err.Error() }
func (e *channelError) Unwrap() error { return e.err }

// Run tells what it is given until ctx is done.
func (n *Notifier) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, c := range n.couriers {
		running.Go(func() { c.run(ctx) })
	}
	running.Wait()
}

// Tell queues a notification for every channel. It never waits.
func (n *Notifier) Tell(note Notification) {
	if len(n.couriers) == 0 {
		return
	}
	m := n.message(note)
	for _, c := range n.couriers {
		c.queue(m)
	}
}

// Outcome is what became of a test.
type Outcome struct {
	Channel string
	Took    time.Duration
	Err     error
}

// Test makes one attempt to tell of nothing through each channel, all at once.
func (n *Notifier) Test(ctx context.Context, now time.Time) []Outcome {
	m := n.message(Notification{
		ID: "test", Event: Test, Kind: "test", Since: now, At: now, Confidence: 100,
		Summary: "This is a test of assim-relay's notifications. Nothing happened.",
	})
	outcomes := make([]Outcome, len(n.couriers))
	var running sync.WaitGroup
	for i, c := range n.couriers {
		running.Go(func() {
			start := time.Now()
			err := c.channel.tell(ctx, m)
			outcomes[i] = Outcome{Channel: c.name, Took: time.Since(start), Err: err}
		})
	}
	running.Wait()
	return outcomes
}

// Count is what a channel did so far.
type Count struct {
	Channel string
	Told    uint64 // notifications
	Failed  uint64 // attempts
	Lost    uint64 // notifications that were dropped or given up
	Waiting int
}

// Counts returns what each channel did.
func (n *Notifier) Counts() []Count {
	counts := make([]Count, len(n.couriers))
	for i, c := range n.couriers {
		counts[i] = c.counts()
	}
	return counts
}
