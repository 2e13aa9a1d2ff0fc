package benchswim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
	"golang.org/x/sync/errgroup"

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
		err = raise()
	}
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

// raise raises the priority of this crowd, which is a session: what else runs on
// the machine is not what is compared.
func raise() error {
	const nice = -15
	if err := syscall.Setpriority(syscall.PRIO_PGRP, 0, nice); err != nil {
		return fmt.Errorf("raising the priority: %w", err)
	}
	// Where sessions are groups of the scheduler (sched(7)), it is theirs that counts.
	err := os.WriteFile("/proc/self/autogroup", []byte(strconv.Itoa(nice)), 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
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
	for i := range nodes {
		c := memberlist.DefaultLANConfig()
		c.Name, c.BindAddr, c.AdvertiseAddr, c.LogOutput = address(i), address(i), address(i), io.Discard
		c.Events = observer{c.Name}
		var err error
		if nodes[i], err = memberlist.Create(c); err != nil {
			return err
		}
	}
	// The first round tells the first node of all; in the second each learns all
	// from it. Gossip would do, but may leave one out for minutes.
	for complete, round := 0, 0; complete < size; round++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var joining errgroup.Group
		joining.SetLimit(8)
		for _, n := range nodes[1:] {
			if round < 2 || n.NumMembers() < size && round%5 == 0 {
				joining.Go(func() error { _, err := n.Join([]string{address(0) + ":7946"}); return err })
			}
		}
		if err := joining.Wait(); err != nil { // of a busy machine; a later round tries again
			fmt.Fprintln(os.Stderr, "memberlist:", err)
		}
		complete = 0
		for _, n := range nodes {
			if n.NumMembers() == size {
				complete++
			}
		}
		if round%10 == 9 {
			fmt.Fprintf(os.Stderr, "memberlist: %d of %d nodes know all\n", complete, size)
		}
		<-time.After(time.Second)
	}
	tell(happening{Ready: true})
	<-ctx.Done()
	return nil
}
