package collect

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"strings"

	"assimilation/discovery"
	kind "assimilation/discovery/cloud"
	"assimilation/discovery/internal/jsontext"
	"assimilation/discovery/internal/plainhttp"
)

// maxDocument bounds an answer.
const maxDocument = 64 << 10

// server is where all clouds have their service (link-local, RFC 3927).
var server = netip.MustParseAddrPort("169.254.169.254:80")

// service is how one cloud's is asked. Only single values are asked for where that is
// possible: among the others are keys and scripts with secrets.
type service struct {
	header string // without which it refuses: an accident has none; the token is put behind it
	token  string // path of a token that is asked for first, by PUT
	// questions are asked in order.
	questions []question
}

type question struct {
	path string
	take func(answer string, facts *kind.Facts)
}

// into takes the last part of a path such as "projects/1/zones/europe-west1-b", or the
// whole of a plain answer.
func into(field func(*kind.Facts) *string) func(string, *kind.Facts) {
	return func(answer string, facts *kind.Facts) {
		*field(facts) = discovery.Clean(path.Base(strings.TrimSpace(answer)), 256)
	}
}

func instance(f *kind.Facts) *string { return &f.Instance }
func machine(f *kind.Facts) *string  { return &f.Type }
func region(f *kind.Facts) *string   { return &f.Region }
func zone(f *kind.Facts) *string     { return &f.Zone }
func image(f *kind.Facts) *string    { return &f.Image }
func account(f *kind.Facts) *string  { return &f.Account }

// object reads an answer in JSON.
func object(take func(jsontext.Value, *kind.Facts)) func(string, *kind.Facts) {
	return func(answer string, facts *kind.Facts) {
		if v, err := jsontext.Parse(answer); err == nil {
			take(v, facts)
		}
	}
}

// services are those of the clouds whose documentation describes one.
var services = map[string]*service{
	"aws": {header: "X-aws-ec2-metadata-token: ", token: "/latest/api/token", questions: []question{
		{"/latest/dynamic/instance-identity/document", object(takeAmazon)},
	}},
	"gcp": {header: "Metadata-Flavor: Google", questions: []question{
		{"/computeMetadata/v1/instance/id", into(instance)},
		{"/computeMetadata/v1/instance/machine-type", into(machine)},
		{"/computeMetadata/v1/instance/zone", func(answer string, facts *kind.Facts) {
			into(zone)(answer, facts)
			if i := strings.LastIndexByte(facts.Zone, '-'); i > 0 {
				facts.Region = facts.Zone[:i]
			}
		}},
		{"/computeMetadata/v1/instance/image", into(image)},
		{"/computeMetadata/v1/project/project-id", into(account)},
	}},
	"azure": {header: "Metadata: true", questions: []question{
		{"/metadata/instance/compute?api-version=2021-02-01", object(takeAzure)},
	}},
	"hetzner": {questions: []question{
		{"/hetzner/v1/metadata/instance-id", into(instance)},
		{"/hetzner/v1/metadata/region", into(region)},
		{"/hetzner/v1/metadata/availability-zone", into(zone)},
	}},
	"digitalocean": {questions: []question{
		{"/metadata/v1/id", into(instance)},
		{"/metadata/v1/region", into(region)},
	}},
	"openstack": {questions: []question{
		{"/openstack/latest/meta_data.json", object(func(v jsontext.Value, f *kind.Facts) {
			takeTexts(v, map[string]*string{"uuid": &f.Instance, "availability_zone": &f.Zone, "project_id": &f.Account})
		})},
	}},
}

func takeAmazon(v jsontext.Value, f *kind.Facts) {
	takeTexts(v, map[string]*string{
		"instanceId": &f.Instance, "instanceType": &f.Type, "region": &f.Region, "availabilityZone": &f.Zone, "imageId": &f.Image, "accountId": &f.Account,
	})
}

func takeAzure(v jsontext.Value, f *kind.Facts) {
	takeTexts(v, map[string]*string{
		"vmId": &f.Instance, "vmSize": &f.Type, "location": &f.Region, "zone": &f.Zone, "subscriptionId": &f.Account,
	})
	if of := v.Get("storageProfile").Get("imageReference"); word(of, "offer") != "" {
		f.Image = word(of, "publisher") + "/" + word(of, "offer") + "/" + word(of, "sku")
	}
}

// takeTexts sets what the object has.
func takeTexts(v jsontext.Value, fields map[string]*string) {
	for name, field := range fields {
		if said := word(v, name); said != "" {
			*field = said
		}
	}
}

// metadata asks the service of the provider. What it says counts more than what was
// known before.
func (c *Collector) metadata(ctx context.Context, facts *kind.Facts) error {
	s := services[facts.Provider]
	var header []string
	if s.header != "" {
		header = []string{s.header}
	}
	if s.token != "" {
		token, err := c.ask(ctx, server, plainhttp.Request{
			Method: "PUT", Host: server.Addr().String(), Path: s.token, Header: []string{"X-aws-ec2-metadata-token-ttl-seconds: 60", "Content-Length: 0"},
		}, 1024)
		if err != nil {
			return err
		}
		if strings.ContainsFunc(string(token), func(r rune) bool { return r <= ' ' || r > '~' }) {
			return fmt.Errorf("the token of %d bytes is no word", len(token))
		}
		header = []string{s.header + string(token)}
	}
	for _, q := range s.questions {
		answer, err := c.ask(ctx, server, plainhttp.Request{Method: "GET", Host: server.Addr().String(), Path: q.path, Header: header}, maxDocument)
		if err != nil {
			return err
		}
		q.take(string(answer), facts)
	}
	facts.Sources = append(facts.Sources, "metadata")
	return nil
}
