package collect

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	kind "assimilation/discovery/cloud"
	"assimilation/discovery/discoverytest"
	"assimilation/discovery/internal/plainhttp"
)

// dmi is a machine whose firmware says these things.
func dmi(pairs ...string) fstest.MapFS {
	root := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		root["sys/class/dmi/id/"+pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1] + "\n")}
	}
	return root
}

func amazon() fstest.MapFS {
	return dmi("sys_vendor", "Amazon EC2", "product_name", "m7i.large", "board_asset_tag", "i-0123456789abcdef0")
}

// withCloudInit is a machine on which cloud-init ran, as it writes on EC2, cut down.
func withCloudInit(root fstest.MapFS) fstest.MapFS {
	root["run/cloud-init/instance-data.json"] = &fstest.MapFile{Data: []byte(`{"base64_encoded_keys":[],"ds":{"dynamic":{"instance-identity":{"document":
 {"accountId":"123456789012","imageId":"ami-0abc","instanceId":"i-0123456789abcdef0","instanceType":"m7i.large","region":"eu-central-1","availabilityZone":"eu-central-1a"}}},
 "meta_data":"redacted for non-root user"},"v1":{"availability_zone":"eu-central-1a","cloud_name":"aws","instance_id":"i-0123456789abcdef0","platform":"ec2","region":"eu-central-1",
 "public_ssh_keys":["ssh-ed25519 AAAA hunter2"]}}`)}
	return root
}

// cloud is a metadata service that answers as the clouds' documentation says, and
// refuses who lacks the header.
func cloud(t testing.TB) Ask {
	mux := http.NewServeMux()
	serve := func(path, header, value, answer string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if header != "" && r.Header.Get(header) != value {
				http.Error(w, "no", http.StatusUnauthorized)
				return
			}
			fmt.Fprint(w, answer)
		})
	}
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") == "" {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, "AQAEAtoken==")
	})
	serve("/latest/dynamic/instance-identity/document", "X-Aws-Ec2-Metadata-Token", "AQAEAtoken==",
		`{"accountId":"123456789012","imageId":"ami-0abc","instanceId":"i-0123456789abcdef0","instanceType":"m7i.large","region":"eu-central-1","availabilityZone":"eu-central-1a"}`)
	for path, answer := range map[string]string{
		"instance/id": "4711", "instance/machine-type": "projects/1/machineTypes/e2-medium", "instance/zone": "projects/1/zones/europe-west1-b",
		"instance/image": "projects/debian-cloud/global/images/debian-12", "project/project-id": "shop",
	} {
		serve("/computeMetadata/v1/"+path, "Metadata-Flavor", "Google", answer)
	}
	serve("/metadata/instance/compute", "Metadata", "true", `{"vmId":"0b7a","vmSize":"Standard_B2s","location":"westeurope","zone":"1","subscriptionId":"8d10","customData":"hunter2",
 "storageProfile":{"imageReference":{"publisher":"debian","offer":"debian-12","sku":"12-gen2"}}}`)
	serve("/hetzner/v1/metadata/instance-id", "", "", "4711")
	serve("/hetzner/v1/metadata/region", "", "", "eu-central\n")
	serve("/hetzner/v1/metadata/availability-zone", "", "", "fsn1-dc14")
	serve("/openstack/latest/meta_data.json", "", "", `{"uuid":"83679162-1378-4288-a2d4-70e13ec132aa","availability_zone":"nova","project_id":"f7ac","admin_pass":"hunter2"}`)
	service := httptest.NewServer(mux)
	t.Cleanup(service.Close)
	address := netip.MustParseAddrPort(service.Listener.Addr().String())
	return func(ctx context.Context, to netip.AddrPort, request plainhttp.Request, limit int) ([]byte, error) {
		if to != server {
			t.Errorf("%v is asked", to)
		}
		return plainhttp.Ask(ctx, address, request, limit)
	}
}

func TestSuite(t *testing.T) {
	google := func() fstest.MapFS { return dmi("sys_vendor", "Google", "product_name", "Google Compute Engine") }
	for name, c := range map[string]struct {
		root fstest.MapFS
		ask  bool
	}{
		"aws": {amazon(), false}, "aws-cloud-init": {withCloudInit(amazon()), false}, "aws-metadata": {amazon(), true},
		"gcp": {google(), false}, "gcp-metadata": {google(), true},
		"azure-metadata":     {dmi("sys_vendor", "Microsoft Corporation", "chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"), true},
		"hetzner-metadata":   {dmi("sys_vendor", "Hetzner", "product_serial", "4711"), true},
		"openstack-metadata": {dmi("sys_vendor", "OpenStack Foundation", "product_name", "OpenStack Nova", "product_uuid", "83679162-1378-4288-A2D4-70E13EC132AA"), true},
		"none":               {withNoCloud(), true},
	} {
		discoverytest.Suite(t, "..", kind.Kind, discoverytest.Case{Name: name, Collector: func(t *testing.T) discovery.Collector {
			if c.ask {
				return New(c.root, cloud(t))
			}
			return New(c.root, nil)
		}})
	}
}

// withNoCloud is a machine of one's own, on which cloud-init read a file.
func withNoCloud() fstest.MapFS {
	root := dmi("sys_vendor", "QEMU", "product_name", "Standard PC (Q35 + ICH9, 2009)")
	root["run/cloud-init/instance-data.json"] = &fstest.MapFile{Data: []byte(`{"v1":{"cloud_name":"nocloud","instance_id":"nocloud"}}`)}
	return root
}

func TestNoSecrets(t *testing.T) {
	for _, root := range []fstest.MapFS{withCloudInit(amazon()), dmi("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"), dmi("product_name", "OpenStack Nova")} {
		facts, err := New(root, cloud(t)).Collect(t.Context())
		if err != nil || len(facts) != 1 || strings.Contains(string(facts[0].Body), "hunter2") {
			t.Errorf("%v, %v", facts, err)
		}
	}
}

// A service that does not answer, or says nonsense, takes nothing from what is known.
func TestSilentService(t *testing.T) {
	for name, ask := range map[string]Ask{
		"refused": func(context.Context, netip.AddrPort, plainhttp.Request, int) ([]byte, error) {
			return nil, plainhttp.Status(403)
		},
		"odd token": func(context.Context, netip.AddrPort, plainhttp.Request, int) ([]byte, error) {
			return []byte("a\r\nX-Forwarded-For: b"), nil
		},
	} {
		facts, err := New(amazon(), ask).Collect(t.Context())
		if len(facts) != 1 || err == nil || !strings.Contains(err.Error(), "the metadata service of aws") || !strings.Contains(string(facts[0].Body), "i-0123") {
			t.Errorf("%s: %v, %v", name, facts, err)
		}
	}
}

func FuzzSources(f *testing.F) {
	f.Add("Amazon EC2", `{"v1":{"cloud_name":"aws","region":7,"instance_id":"\u0000"}}`, `{"instanceId":1e9}`)
	f.Add("Hetzner", `{}`, "../..")
	f.Fuzz(func(t *testing.T, vendor, data, answer string) {
		root := dmi("sys_vendor", vendor, "product_name", vendor, "chassis_asset_tag", vendor, "product_serial", data)
		root["run/cloud-init/instance-data.json"] = &fstest.MapFile{Data: []byte(data)}
		facts, _ := New(root, func(context.Context, netip.AddrPort, plainhttp.Request, int) ([]byte, error) {
			return []byte(answer), nil
		}).Collect(t.Context())
		for _, fact := range facts {
			if err := fact.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}

func BenchmarkCollect(b *testing.B) {
	c := Local(false)
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
