package rest_test

import (
	"net"
	"sync"
	"testing"
)

// meter forwards datagrams between one probe and its relay, and counts them
// (UDP payload).
type meter struct {
	address          string
	toProbe, toRelay *net.UDPConn

	mu    sync.Mutex
	probe *net.UDPAddr
	count traffic
}

type traffic struct{ up, down, upCount, downCount int64 }

func newMeter(t *testing.T, relay string) *meter {
	t.Helper()
	remote, err := net.ResolveUDPAddr("udp", relay)
	if err != nil {
		t.Fatal(err)
	}
	m := &meter{}
	if m.toProbe, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	if m.toRelay, err = net.DialUDP("udp", nil, remote); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.toProbe.Close(); m.toRelay.Close() })
	m.address = m.toProbe.LocalAddr().String()
	go m.up()
	go m.down()
	return m
}

func (m *meter) read() traffic {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count
}

func (m *meter) up() {
	buf := make([]byte, 65536)
	for {
		n, from, err := m.toProbe.ReadFromUDP(buf)
		if err != nil {
			return // closed
		}
		m.mu.Lock()
		m.probe = from
		m.count.up += int64(n)
		m.count.upCount++
		m.mu.Unlock()
		// What the relay's socket refuses is lost, as on a real network.
		_, _ = m.toRelay.Write(buf[:n])
	}
}

func (m *meter) down() {
	buf := make([]byte, 65536)
	for {
		n, err := m.toRelay.Read(buf)
		if err != nil {
			return
		}
		m.mu.Lock()
		to := m.probe
		m.count.down += int64(n)
		m.count.downCount++
		m.mu.Unlock()
		if to != nil {
			_, _ = m.toProbe.WriteToUDP(buf[:n], to)
		}
	}
}
