package benchswim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"

	"assimilation/probe"
)

// The two crowds are this program, started again in a namespace. They print
// what happens as lines of JSON.

// happening is one such line.
type happening struct {
	Ready bool // all know of all

	// Death: Observer says that Victim is dead. Of ours, the observer is the relay
	// and Kind is its verdict.
	Observer, Victim string `json:",omitempty"`
	Kind             string `json:",omitempty"`
	At               int64  `json:",omitempty"` // Unix nanoseconds
}

// Addresses of ours that are not hosts'.
const (
	relayAddress   = "127.0.0.1:1984"
	webhookAddress = "127.0.0.1:1986"
)

// address is that of a host.
func address(i int) string { return fmt.Sprintf("127.1.%d.%d", i/200, 1+i%200) }

// crowdMain becomes a crowd if that is what the command line asks for.
func crowdMain() {
	if len(os.Args) != 5 || os.Args[1] != "crowd" {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	size, err := strconv.Atoi(os.Args[3])
	if err == nil {
		switch os.Args[2] {
		case "probes":
			err = runProbes(ctx, size, os.Args[4])
		case "memberlist":
			err = runMemberlist(ctx, size)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

var printing sync.Mutex

func tell(h happening) {
	line, err := json.Marshal(h)
	if err != nil {
		panic(err)
	}
	printing.Lock()
	defer printing.Unlock()
	fmt.Println(string(line))
}

// runProbes runs size probes with state in a folder that has the token, and
// listens for the relay's webhook.
func runProbes(ctx context.Context, size int, dir string) error {
	token, err := os.ReadFile(filepath.Join(dir, "token"))
	if err != nil {
		return err
	}
	server := &http.Server{Addr: webhookAddress, Handler: http.HandlerFunc(told)}
	defer server.Close()
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, "webhook:", err)
		}
	}()
	var running sync.WaitGroup
	defer running.Wait()
	for i := range size {
		p, err := probe.New(probe.Config{
			State: filepath.Join(dir, strconv.Itoa(i)), Token: string(token), Relays: []string{relayAddress}, Listen: address(i) + ":1984",
			Version: "bench", Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		})
		if err != nil {
			return err
		}
		running.Go(func() {
			if err := p.Run(ctx); err != nil {
				fmt.Fprintln(os.Stderr, "probe:", err)
			}
		})
	}
	return nil // when all have ended
}

// told takes what the relay tells by its webhook.
func told(_ http.ResponseWriter, r *http.Request) {
	var note struct{ Event, Kind string }
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&note); err != nil {
		fmt.Fprintln(os.Stderr, "webhook:", err)
		return
	}
	if note.Event == "opened" {
		tell(happening{Observer: "relay", Kind: note.Kind, At: time.Now().UnixNano()})
	}
}

// observer is one node's view of the deaths of others.
type observer struct{ name string }

func (o observer) NotifyJoin(*memberlist.Node)   {}
func (o observer) NotifyUpdate(*memberlist.Node) {}
func (o observer) NotifyLeave(n *memberlist.Node) {
	tell(happening{Observer: o.name, Victim: n.Name, At: time.Now().UnixNano()})
}

// runMemberlist runs size nodes with the defaults for a LAN.
func runMemberlist(ctx context.Context, size int) error {
	nodes := make([]*memberlist.Memberlist, size)
	join := func(i int) error {
		_, err := nodes[i].Join([]string{address(rand.IntN(max(1, i))) + ":7946", address(rand.IntN(max(1, i))) + ":7946"})
		return err
	}
	for i := range nodes {
		c := memberlist.DefaultLANConfig()
		c.Name, c.BindAddr, c.AdvertiseAddr, c.LogOutput = address(i), address(i), address(i), io.Discard
		c.Events = observer{c.Name}
		var err error
		if nodes[i], err = memberlist.Create(c); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		if err := join(i); err != nil {
			return err
		}
	}
	// One that missed the news of a late comer would learn of it minutes later: it
	// joins again.
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for complete, round := 0, 0; complete < size; round++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		complete = 0
		for i, n := range nodes {
			if n.NumMembers() == size {
				complete++
			} else if round%3 == 2 && i > 0 {
				if err := join(i); err != nil {
					return err
				}
			}
		}
	}
	tell(happening{Ready: true})
	<-ctx.Done()
	return nil
}
