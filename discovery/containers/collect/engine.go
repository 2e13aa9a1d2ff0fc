package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	kind "assimilation/discovery/containers"
	"assimilation/discovery/internal/jsontext"
	"assimilation/discovery/internal/order"
	"assimilation/discovery/internal/plainhttp"
	"assimilation/discovery/internal/redact"
)

// Limits of what an engine says.
const (
	maxList     = 4 << 20
	maxInspect  = 512 << 10
	maxLabels   = 64
	maxNetworks = 64
	maxDigests  = 16
)

// ask returns the containers of one engine, by its API
// (docs.docker.com/reference/api/engine), of which Podman has the same. They are
// whole or none: half of them would look as if the others had gone.
func (c *Collector) ask(ctx context.Context, engine, socket string) ([]kind.Container, error) {
	list, err := c.document(ctx, socket, "/containers/json?all=1", maxList)
	if err != nil {
		return nil, err
	}
	digests := map[string][]string{}
	images, err := c.document(ctx, socket, "/images/json", maxList)
	if err != nil {
		return nil, err
	}
	for _, i := range images.Items() {
		digests[i.Get("Id").Text()] = texts(i.Get("RepoDigests"))
	}
	var all []kind.Container
	for _, l := range list.Items() {
		id := l.Get("Id").Text()
		if !isID(id) || len(all) == maxContainers {
			continue
		}
		more, err := c.document(ctx, socket, "/containers/"+id+"/json", maxInspect)
		if errors.Is(err, plainhttp.Status(404)) { // removed since
			continue
		}
		if err != nil {
			return nil, err
		}
		one := container(engine, id, l)
		one.Digests = digests[one.ImageID]
		if policy := more.Get("HostConfig").Get("RestartPolicy").Get("Name").Text(); policy != "no" {
			one.Restart = clean(policy)
		}
		all = append(all, one)
	}
	return all, nil
}

func (c *Collector) document(ctx context.Context, socket, path string, limit int) (jsontext.Value, error) {
	answer, err := c.get(ctx, socket, path, limit)
	if err != nil {
		return "", err
	}
	document, err := jsontext.Parse(string(answer))
	if err != nil {
		return "", fmt.Errorf("reading %s from %s: %w", path, socket, err)
	}
	return document, nil
}

// container reads an item of the list.
func container(engine, id string, l jsontext.Value) kind.Container {
	text := func(name string) string { return clean(l.Get(name).Text()) }
	c := kind.Container{ID: id, Engine: engine, Name: id[:12], State: state(text("State")), Image: text("Image"), ImageID: text("ImageID")}
	for _, name := range l.Get("Names").Items() { // of several the shortest: the others are of links
		if s := strings.TrimPrefix(clean(name.Text()), "/"); s != "" && (c.Name == id[:12] || len(s) < len(c.Name)) {
			c.Name = s
		}
	}
	for _, p := range l.Get("Ports").Items() {
		port := kind.Port{Protocol: clean(p.Get("Type").Text()), Port: p.Get("PrivatePort").Int(), HostIP: clean(p.Get("IP").Text()), HostPort: p.Get("PublicPort").Int()}
		if len(c.Ports) < maxPorts && !slices.Contains(c.Ports, port) {
			c.Ports = append(c.Ports, port)
		}
	}
	order.By(c.Ports, func(a, b *kind.Port) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.HostIP, b.HostIP), cmp.Compare(a.HostPort, b.HostPort))
	})
	for _, m := range l.Get("NetworkSettings").Get("Networks").Members() {
		n := m.Value
		network := kind.Network{Name: clean(m.Name), IP: clean(n.Get("IPAddress").Text()), IPv6: clean(n.Get("GlobalIPv6Address").Text()), MAC: clean(n.Get("MacAddress").Text())}
		if len(c.Networks) < maxNetworks && !slices.ContainsFunc(c.Networks, func(known kind.Network) bool { return known.Name == network.Name }) {
			c.Networks = append(c.Networks, network)
		}
	}
	order.By(c.Networks, func(a, b *kind.Network) int { return cmp.Compare(a.Name, b.Name) })
	c.Labels = labels(l.Get("Labels"))
	return c
}

// labels takes the secrets out, as of a command line of NAME=VALUE.
func labels(all jsontext.Value) (out []kind.Label) {
	for _, m := range all.Members() {
		word := redact.Args([]string{m.Name + "=" + m.Value.Text()})[0]
		out = append(out, kind.Label{Name: clean(m.Name), Value: clean(strings.TrimPrefix(word, m.Name+"="))})
	}
	order.By(out, func(a, b *kind.Label) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value)) })
	out = slices.CompactFunc(out, func(a, b kind.Label) bool { return a.Name == b.Name })
	return out[:min(len(out), maxLabels)]
}

// texts are the strings of a list, sorted, each once.
func texts(list jsontext.Value) (out []string) {
	for _, s := range list.Items() {
		if len(out) < maxDigests {
			out = append(out, clean(s.Text()))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// state leaves out by which way a container does not run.
func state(s string) string {
	switch s {
	case "running", "paused":
		return s
	case "restarting":
		return "running"
	}
	return "stopped"
}
