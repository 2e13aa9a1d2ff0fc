package collect

import (
	"strings"

	kind "assimilation/discovery/cloud"
	"assimilation/discovery/internal/conffile"
)

// tables is where the kernel shows what the firmware says (SMBIOS).
const tables = "/sys/class/dmi/id/"

// sign is by what a cloud is known: a value of the firmware that begins so.
type sign struct{ file, begins, provider string }

// signs are those that the clouds' own documentation, and cloud-init's ds-identify,
// go by.
var signs = []sign{
	{"sys_vendor", "Amazon EC2", "aws"}, {"bios_vendor", "Amazon EC2", "aws"}, {"product_name", "Google Compute Engine", "gcp"},
	{"chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", "azure"}, {"sys_vendor", "DigitalOcean", "digitalocean"}, {"sys_vendor", "Hetzner", "hetzner"},
	{"chassis_asset_tag", "OracleCloud.com", "oracle"}, {"product_name", "Alibaba Cloud", "alibaba"}, {"sys_vendor", "Scaleway", "scaleway"},
	{"sys_vendor", "Vultr", "vultr"}, {"sys_vendor", "Akamai", "akamai"}, {"sys_vendor", "Linode", "akamai"}, {"sys_vendor", "UpCloud", "upcloud"},
	{"product_name", "Exoscale", "exoscale"}, {"chassis_asset_tag", "HUAWEICLOUD", "huawei"}, {"product_name", "OpenStack", "openstack"},
	{"chassis_asset_tag", "OpenTelekomCloud", "openstack"}, {"sys_vendor", "OpenStack", "openstack"},
}

// firmware says which cloud's the machine is, and what else its tables tell.
func firmware(r *conffile.Reader) (facts kind.Facts) {
	values := map[string]string{}
	value := func(file string) string {
		if _, read := values[file]; !read {
			values[file] = ""
			if r.Stat(tables+file) != nil {
				values[file] = r.Line(tables + file)
			}
		}
		return values[file]
	}
	for _, s := range signs {
		if strings.HasPrefix(value(s.file), s.begins) {
			facts.Provider = s.provider
			break
		}
	}
	switch facts.Provider {
	case "":
		return facts
	case "aws": // of the machines since 2017
		if strings.HasPrefix(value("board_asset_tag"), "i-") {
			facts.Instance, facts.Type = value("board_asset_tag"), value("product_name")
		}
	case "openstack":
		facts.Instance = strings.ToLower(value("product_uuid"))
	case "digitalocean", "hetzner", "alibaba", "vultr":
		facts.Instance = value("product_serial")
	}
	facts.Sources = []string{"dmi"}
	return facts
}
