package benchprobe

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// The askers are this program, started again in another namespace.

// askerMain becomes an asker if that is what the command line asks for.
func askerMain() {
	if len(os.Args) != 4 || os.Args[1] != "asker" {
		return
	}
	var err error
	switch address := os.Args[3]; os.Args[2] {
	case "prometheus":
		err = scrape(address)
	case "zabbix":
		err = poll(address)
	case "crowd":
		err = crowd(address)
	}
	fmt.Fprintln(os.Stderr, "asker:", err)
	os.Exit(1)
}

// scrape asks as Prometheus does: every 15 s, compressed, over one connection.
func scrape(address string) error {
	for range time.Tick(15 * time.Second) {
		answer, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return err
		}
		answer.Body.Close()
	}
	return nil
}

// items are those of Zabbix's template "Linux by Zabbix agent" that one poller
// asks for every minute on a host with one link and one file system.
var items = []string{
	"agent.hostname", "agent.ping", "agent.version", "kernel.maxfiles", "kernel.maxproc", "proc.num", "proc.num[,,run]",
	"system.boottime", "system.cpu.intr", "system.cpu.load[all,avg1]", "system.cpu.load[all,avg5]", "system.cpu.load[all,avg15]",
	"system.cpu.num", "system.cpu.switches", "system.cpu.util[,guest]", "system.cpu.util[,idle]", "system.cpu.util[,iowait]",
	"system.cpu.util[,nice]", "system.cpu.util[,softirq]", "system.cpu.util[,steal]", "system.cpu.util[,system]", "system.cpu.util[,user]",
	"system.hostname", "system.localtime", "system.sw.arch", "system.swap.size[,free]", "system.swap.size[,pfree]", "system.swap.size[,total]",
	"system.uname", "system.uptime", "system.users.num", "vfs.file.cksum[/etc/passwd,sha256]", "vm.memory.size[available]",
	"vm.memory.size[pavailable]", "vm.memory.size[total]", `net.if.in["eth0"]`, `net.if.out["eth0"]`, "vfs.fs.size[/,pused]",
}

// poll asks as a Zabbix server does passively: one connection per value.
func poll(address string) error {
	next := 0
	for range time.Tick(time.Minute / time.Duration(len(items))) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		key := items[next%len(items)]
		next++
		request := append([]byte("ZBXD\x01"), binary.LittleEndian.AppendUint64(nil, uint64(len(key)))...)
		if _, err := c.Write(append(request, key...)); err != nil {
			return err
		}
		if answer, err := io.ReadAll(c); err != nil || len(answer) < 13 {
			return fmt.Errorf("asking for %s: %q, %v", key, answer, err)
		}
		c.Close()
	}
	return nil
}

// crowd makes 50 connections a second to a listener of its own, each from a port
// that was not in use, and each lasting a second.
func crowd(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(io.Discard, c) // until the client closes
				c.Close()
			}()
		}
	}()
	for range time.Tick(time.Second / 50) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		time.AfterFunc(time.Second, func() { c.Close() })
	}
	return nil
}
