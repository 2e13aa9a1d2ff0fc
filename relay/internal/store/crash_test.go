package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// crashDir tells a child process to write into the store there until it is
// killed.
const crashDir = "ASSIM_TEST_CRASH_DIR"

const crashWriters = 8

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// writeUntilKilled counts one fact per writer up, and prints each value once
// it is durable.
func writeUntilKilled(dir string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, dir, store.Options{})
	if err != nil {
		return err
	}
	hosts, err := s.Hosts(ctx)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for w := range crashWriters {
		go func() { failed <- count(s, hosts[w%len(hosts)].ID, strconv.Itoa(w)) }()
	}
	return <-failed
}

func count(s *store.Store, host tenancy.HostID, instance string) error {
	ctx := context.Background()
	value := 0
	err := s.Do(ctx, func(tx *store.Tx) (err error) {
		value, err = current(tx, host, instance)
		return err
	})
	for ; err == nil; value++ {
		next := fact("x-crash", instance, strconv.Itoa(value+1))
		err = s.Do(ctx, func(tx *store.Tx) error {
			result, err := tx.PutFact(host, next, now, now)
			if err == nil && result != store.Stored {
				err = fmt.Errorf("value %d of writer %s: %v", value+1, instance, result)
			}
			return err
		})
		if err == nil {
			fmt.Printf("%s %d\n", instance, value+1) // one write(2): whole or not at all
		}
	}
	return err
}

// current is the value of a fact, found by trying: the store does not give
// bodies away.
func current(tx *store.Tx, host tenancy.HostID, instance string) (int, error) {
	var start int
	for ; ; start++ {
		found, err := tx.IsCurrent(host, fact("x-crash", instance, strconv.Itoa(start)))
		if err != nil || found {
			return start, err
		}
	}
}

// TestKilledAtAnyMoment plays the service over a store whose process is killed
// again and again: what a writer was told is durable must be there, numbered
// without a gap, chained, each version once and different from the one before.
func TestKilledAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	enrol(t, s)
	for range 2 {
		id := addHost(t, s)
		do(t, s, func(tx *store.Tx) error {
			for w := range crashWriters {
				if _, err := tx.PutFact(id, fact("x-crash", strconv.Itoa(w), "0"), now, now); err != nil {
					return err
				}
			}
			return nil
		})
	}
	service := &receiver{epoch: s.Head().Epoch, chain: uplink.ChainStart(s.Head().Relay, s.Head().Epoch), values: map[string]int{}}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	told := map[string]int{}
	for round := range rounds {
		runAndKill(t, dir, rand.IntN(400), told)
		s := open(t, dir)
		service.take(t, s)
		for writer, value := range told {
			if service.values[writer] < value {
				t.Fatalf("round %d: writer %s was told that %d is durable, the stream ends at %d", round, writer, value, service.values[writer])
			}
		}
		// The answer to every other batch is lost.
		if round%2 == 0 {
			do(t, s, func(tx *store.Tx) error {
				return tx.Acknowledge(service.position - rand.Uint64N(min(5, service.position)))
			})
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d records, none lost", rounds, service.position)
}

// runAndKill runs a child until it has told of some values, and kills it.
func runAndKill(t *testing.T, dir string, after int, told map[string]int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+dir)
	var stderr strings.Builder
	child.Stderr = &stderr
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for n := 0; lines.Scan(); n++ {
		var writer string
		var value int
		if _, err := fmt.Sscanf(lines.Text(), "%s %d", &writer, &value); err != nil {
			t.Fatalf("the child said %q", lines.Text())
		}
		told[writer] = value
		if n == after {
			if err := child.Process.Kill(); err != nil { // SIGKILL
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || child.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v %s", err, stderr.String())
	}
}

// receiver is the service: it takes what comes next and checks it.
type receiver struct {
	epoch, position uint64
	chain           uplink.Chain
	values          map[string]int
}

func (r *receiver) take(t *testing.T, s *store.Store) {
	t.Helper()
	batch, err := s.Records(context.Background(), 1<<20, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if batch.Epoch != r.epoch || batch.First > r.position+1 {
		t.Fatalf("the outbox begins at epoch %d record %d, the service stands at %d, %d", batch.Epoch, batch.First, r.epoch, r.position)
	}
	if got := uplink.ChainOver(batch.Prev, batch.Encoded); got != batch.Chain {
		t.Fatal("the records do not give the chain")
	}
	for i, record := range batch.Encoded {
		seq := batch.First + uint64(i)
		if seq <= r.position {
			continue
		}
		r.position, r.chain = seq, uplink.ChainNext(r.chain, record)
		change, err := uplink.DecodeRecord(record)
		if err != nil || change.Seq != seq {
			t.Fatalf("record %d: says it is %d, %v", seq, change.Seq, err)
		}
		if change.Type != uplink.FactPut {
			continue
		}
		value, err := strconv.Atoi(string(change.Body))
		if err != nil {
			t.Fatal(err)
		}
		if value == 0 {
			continue
		}
		if value != r.values[change.Instance]+1 {
			t.Fatalf("record %d: writer %s goes from %d to %d", seq, change.Instance, r.values[change.Instance], value)
		}
		r.values[change.Instance] = value
	}
	if r.chain != batch.Chain {
		t.Fatal("the stream does not go on from what the service holds")
	}
}
