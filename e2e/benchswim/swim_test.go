package benchswim

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"assimilation/e2e/netns"
	"assimilation/e2e/world"
)

var (
	kills = flag.Int("kills", 6, "how many hosts die")
	only  = flag.Int("only", 0, "measure this size alone")
)

func sizes() []int {
	if *only > 0 {
		return []int{*only}
	}
	return []int{16, 64, goalSize}
}

func TestMain(m *testing.M) {
	crowdMain()
	os.Exit(m.Run())
}

// The times of a run.
const (
	settle = 8 * time.Second  // after all know of all
	steady = 15 * time.Second // in which bytes are counted
	pause  = time.Second      // between two deaths
)

// The goals, at the largest size.
const (
	goalSize  = 256
	goalRatio = 3.0 // times as fast
)

func BenchmarkSWIM(b *testing.B) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "hosts\t\tdetection s: min\tmedian\tmax\tbytes/s per host\tpackets/s per host\twrong\ttimes as fast\tbytes to theirs\t")
	for _, size := range sizes() {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			ours, theirs := run(b, size)
			ratio, bytes := theirs.median()/ours.median(), ours.bytes/theirs.bytes
			fmt.Fprintf(table, "%d\tassim\t%s\t%.2f\t%.2f\t\n", size, ours, ratio, bytes)
			fmt.Fprintf(table, "\tmemberlist\t%s\t\t\t\n", theirs)
			b.ReportMetric(ratio, "times-as-fast")
			b.ReportMetric(bytes, "bytes-to-theirs")
			b.ReportMetric(0, "ns/op")
			if size == goalSize && (ratio < goalRatio || bytes > 1) {
				b.Errorf("%.2f times as fast at %.2f times the bytes; the goal is %.0f at no more than 1", ratio, bytes, goalRatio)
			}
		})
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		b.Fatal(err)
	}
	fmt.Printf("\n%d silent deaths each, both at the same time on this machine; load average %s\n", *kills, strings.Join(strings.Fields(string(load))[:3], " "))
	if err := table.Flush(); err != nil {
		b.Fatal(err)
	}
}

// figures are what one side of a run came to.
type figures struct {
	detection      []time.Duration
	bytes, packets float64 // per host and second
	wrong          int
}

func (f figures) median() float64 {
	sorted := slices.Sorted(slices.Values(f.detection))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]).Seconds() / 2
}

func (f figures) String() string {
	return fmt.Sprintf("%.2f\t%.2f\t%.2f\t%.0f\t%.2f\t%d", slices.Min(f.detection).Seconds(), f.median(), slices.Max(f.detection).Seconds(),
		f.bytes, f.packets, f.wrong)
}

// run measures both at one size, at the same time.
func run(b *testing.B, size int) (ours, theirs figures) {
	probes, members := start(b, size)
	fields, results := []*field{probes, members}, []*figures{&ours, &theirs}
	<-time.After(settle)

	var bytes, packets [2]float64
	begin := time.Now()
	for i, f := range fields {
		bytes[i], packets[i] = f.sent(b)
	}
	<-time.After(steady)
	for i, f := range fields {
		moreBytes, morePackets := f.sent(b)
		each := time.Since(begin).Seconds() * float64(size)
		results[i].bytes, results[i].packets = (moreBytes-bytes[i])/each, (morePackets-packets[i])/each
	}

	for _, victim := range rand.Perm(size)[:*kills] {
		var dying sync.WaitGroup
		for i, f := range fields {
			dying.Go(func() { results[i].detection = append(results[i].detection, f.kill(b, address(victim))) })
		}
		dying.Wait()
		<-time.After(pause)
	}
	for i, f := range fields {
		results[i].wrong = f.wrong()
	}
	return ours, theirs
}

// start makes two namespaces with a crowd each, and waits until they stand.
func start(b *testing.B, size int) (probes, members *field) {
	theirs := netns.New(b, 0)
	members = newField(b, "memberlist", theirs.LAN, size, "")
	members.awaitReady(b) // their start takes all of a small machine

	lab := netns.New(b, 0)
	w := world.New(b, world.Options{Listen: lab.Service + ":8080"})
	const local = "127.0.0.1:1985"
	w.Relay(world.Node{
		Name: "relay", Netns: lab.LAN, Listen: relayAddress, HTTP: local, Env: []string{"ASSIM_NOTIFY_WEBHOOK=http://" + webhookAddress + "/"},
	})
	_, token := w.Token("probe")
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600); err != nil {
		b.Fatal(err)
	}
	probes = newField(b, "probes", lab.LAN, size, dir)
	client := netns.Client(lab.LAN)
	want := fmt.Sprintf("assim_relay_hosts{state=\"up\"} %d\n", size)
	world.Eventually(b, 2*time.Minute, "all probes up", func() (bool, string) {
		metrics, err := get(client, "http://"+local+"/metrics")
		if err != nil {
			return false, err.Error()
		}
		_, state, _ := strings.Cut(metrics, "assim_relay_hosts{state=\"up\"} ")
		state, _, _ = strings.Cut(state, "\n")
		return strings.Contains(metrics, want), state
	})
	return probes, members
}

func get(client *http.Client, url string) (string, error) {
	answer, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}
