package benchprobe

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"assimilation/e2e/execs"
	"assimilation/e2e/netns"
	"assimilation/e2e/world"
)

var window = flag.Duration("window", 2*time.Minute, "how long everything is watched")

func TestMain(m *testing.M) {
	askerMain()
	os.Exit(m.Run())
}

// candidate is one program on a host of its own.
type candidate struct {
	name    string
	host    netns.Host
	process *world.Process
}

// goals of a quiet probe; with a crowd, only the processor's differs.
const (
	goalRSS      = 10.0 // MB
	goalCPU      = 3.0  // s/h
	goalCrowdCPU = 10.0 // s/h
)

// extraProcesses that do nothing, and 50 new connections a second, are a crowd.
const extraProcesses = 500

func BenchmarkQuiet(b *testing.B) {
	lab := netns.New(b, 5)
	w := world.New(b, world.Options{Listen: lab.Service + ":8080"})
	_, relay := w.Relay(world.Node{Name: "relay", Netns: lab.LAN, Listen: lab.Gateway + ":1984", HTTP: "127.0.0.1:1985"})
	peers := filepath.Join(world.Root(b), ".dev", "peers")
	world.Run(b, nil, filepath.Join(world.Root(b), "e2e/benchprobe/peers.sh"), peers)
	started := execs.New(b)

	probe := candidate{"assim-probe", lab.Hosts[0], nil}
	probe.process = w.Probe(world.Node{Name: "probe", Netns: probe.host.Netns, Host: "quiet", Relay: relay})
	w.HostUp("quiet", time.Minute)
	all := []candidate{
		probe,
		{"node_exporter, unscraped", lab.Hosts[1], nodeExporter(b, peers, lab.Hosts[1])},
		{"node_exporter, scraped every 15 s", lab.Hosts[2], nodeExporter(b, peers, lab.Hosts[2])},
		{"zabbix_agent2, idle", lab.Hosts[3], zabbixAgent(b, peers, lab.Hosts[3])},
		{"zabbix_agent2, 38 values/min", lab.Hosts[4], zabbixAgent(b, peers, lab.Hosts[4])},
	}
	ask(b, lab.LAN, "prometheus", all[2].host.IP+":9100")
	ask(b, lab.LAN, "zabbix", all[4].host.IP+":10050")
	<-time.After(20 * time.Second) // what is only done at the start

	fmt.Printf("\n%v each, load average %s\n", *window, strings.Join(strings.Fields(read(b, "/proc/loadavg"))[:3], " "))
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "program\tCPU s/h\tto goal\tRSS MB\tto goal\tPSS MB\twire B/s\tpackets/s\texecs/h\tdisk B/s")
	watch(b, table, started, goalCPU, all...)

	probe.name = fmt.Sprintf("assim-probe, %d processes and 50 connections/s more", extraProcesses)
	sleepers := exec.Command("sh", "-c", fmt.Sprintf("for i in $(seq %d); do sleep 100000 & done; wait", extraProcesses))
	world.Start(b, "sleepers", func() *exec.Cmd { return sleepers })
	crowd := world.Start(b, "crowd", func() *exec.Cmd {
		return exec.Command("ip", "netns", "exec", probe.host.Netns, os.Args[0], "asker", "crowd", probe.host.IP+":7000")
	})
	<-time.After(5 * time.Second)
	watch(b, table, started, goalCrowdCPU, probe)
	crowd.Stop()
	if err := table.Flush(); err != nil {
		b.Fatal(err)
	}
}

// watch measures all at once over the window.
func watch(b *testing.B, table *tabwriter.Writer, started *execs.Watch, goal float64, all ...candidate) {
	before := make([]usage, len(all))
	for i, c := range all {
		before[i] = measure(b, c, started)
	}
	began := time.Now()
	<-time.After(*window)
	for i, c := range all {
		used, seconds := measure(b, c, started), time.Since(began).Seconds()
		rss, pss := memory(b, c.process.PID())
		cpu := (used.cpu - before[i].cpu).Seconds() / seconds * 3600
		toGoal := []string{"", ""}
		if strings.HasPrefix(c.name, "assim") {
			toGoal = []string{fmt.Sprintf("%.2f", cpu/goal), fmt.Sprintf("%.2f", rss/goalRSS)}
		}
		per := func(n int64) float64 { return float64(n) / seconds }
		fmt.Fprintf(table, "%s\t%.2f\t%s\t%.1f\t%s\t%.1f\t%.1f\t%.2f\t%.0f\t%.0f\n", c.name, cpu, toGoal[0], rss, toGoal[1], pss,
			per(used.wire-before[i].wire), per(used.datagrams-before[i].datagrams), per(int64(used.execs-before[i].execs))*3600, per(used.disk-before[i].disk))
	}
}

func nodeExporter(b *testing.B, peers string, host netns.Host) *world.Process {
	return world.Start(b, "node_exporter", func() *exec.Cmd {
		return exec.Command("ip", "netns", "exec", host.Netns, filepath.Join(peers, "root/usr/bin/prometheus-node-exporter"))
	})
}

func zabbixAgent(b *testing.B, peers string, host netns.Host) *world.Process {
	dir := b.TempDir()
	file := filepath.Join(dir, "agent.conf")
	text := fmt.Sprintf("Server=0.0.0.0/0\nHostname=peer\nLogType=console\nPidFile=%[1]s/pid\nPluginSocket=%[1]s/plugin\nControlSocket=%[1]s/control\n", dir)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return world.Start(b, "zabbix_agent2", func() *exec.Cmd {
		cmd := exec.Command("ip", "netns", "exec", host.Netns, filepath.Join(peers, "root/usr/sbin/zabbix_agent2"), "-f", "-c", file)
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(peers, "root/usr/lib/x86_64-linux-gnu"))
		return cmd
	})
}

func ask(b *testing.B, namespace, how, address string) {
	world.Start(b, how, func() *exec.Cmd {
		return exec.Command("ip", "netns", "exec", namespace, os.Args[0], "asker", how, address)
	})
}
