package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"

	"assimilation/discovery"
	kind "assimilation/discovery/cloud"
	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/jsontext"
	"assimilation/discovery/internal/plainhttp"
)

// Ask asks a server for a document, as plainhttp.Ask does.
type Ask func(ctx context.Context, server netip.AddrPort, request plainhttp.Request, limit int) ([]byte, error)

// Collector reads what the firmware and cloud-init know, and asks the cloud's own
// service where that is allowed.
type Collector struct {
	root fs.FS
	ask  Ask
}

// New returns a collector of the system whose files are under root. It sends no packet
// where ask is nil.
func New(root fs.FS, ask Ask) *Collector { return &Collector{root, ask} }

// Local returns the collector of this host; metadata says whether it may ask the
// cloud's service at its link-local address.
func Local(metadata bool) *Collector {
	if metadata {
		return New(os.DirFS("/"), plainhttp.Ask)
	}
	return New(os.DirFS("/"), nil)
}

// Kind is the kind "cloud".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns the one fact, or none outside of clouds.
func (c *Collector) Collect(ctx context.Context) ([]discovery.Fact, error) {
	r := conffile.NewReader(c.root)
	facts := firmware(r)
	cloudInit(r, &facts)
	var problem error
	if c.ask != nil && services[facts.Provider] != nil {
		if err := c.metadata(ctx, &facts); err != nil {
			problem = &discovery.Degraded{What: fmt.Sprintf("the metadata service of %s: %v", facts.Provider, err)}
		}
	}
	if facts.Provider == "" {
		return nil, r.Err()
	}
	slices.Sort(facts.Sources)
	fact, err := discovery.NewFact(kind.Kind, "", facts)
	if err != nil {
		return nil, err
	}
	return []discovery.Fact{fact}, errors.Join(r.Err(), problem)
}

// instanceData is what cloud-init leaves, less what is secret
// (cloudinit.readthedocs.io, "Instance-data").
const instanceData = "/run/cloud-init/instance-data.json"

// providers are the names by which cloud-init calls clouds. Others, such as "nocloud"
// and "configdrive", are no clouds.
var providers = map[string]string{
	"aws": "aws", "ec2": "aws", "azure": "azure", "gce": "gcp", "openstack": "openstack", "digitalocean": "digitalocean", "hetzner": "hetzner",
	"oracle": "oracle", "aliyun": "alibaba", "vultr": "vultr", "scaleway": "scaleway", "upcloud": "upcloud", "exoscale": "exoscale", "akamai": "akamai",
	"ibmcloud": "ibm",
}

// cloudInit adds what cloud-init was told when the instance started.
func cloudInit(r *conffile.Reader, facts *kind.Facts) {
	text, found := r.File(instanceData)
	if !found {
		return
	}
	data, err := jsontext.Parse(text)
	if err != nil {
		return
	}
	v1 := data.Get("v1")
	provider := providers[strings.ToLower(v1.Get("cloud_name").Text())]
	if provider == "" || facts.Provider != "" && facts.Provider != provider {
		return // a copy of another machine's disk
	}
	facts.Provider = provider
	facts.Sources = append(facts.Sources, "cloud-init")
	facts.Instance = cmp.Or(facts.Instance, word(v1, "instance_id"))
	facts.Region = cmp.Or(facts.Region, word(v1, "region"))
	facts.Zone = cmp.Or(facts.Zone, word(v1, "availability_zone"))
	if document := data.Get("ds").Get("dynamic").Get("instance-identity").Get("document"); document != "" {
		takeAmazon(document, facts)
	}
}

// word is a member of an object: a string, or a number.
func word(object jsontext.Value, name string) string {
	v := object.Get(name)
	if s := v.Text(); s != "" {
		return conffile.Clean(s)
	}
	if n := v.Int(); n != 0 {
		return conffile.Clean(string(v))
	}
	return ""
}
