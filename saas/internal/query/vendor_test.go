package query

import "testing"

func TestVendorOf(t *testing.T) {
	for mac, want := range map[string]string{
		"00:00:0c:01:02:03":       "Cisco Systems, Inc",
		"00:00:0c:ff:fe:00:00:01": "Cisco Systems, Inc", // EUI-64
		"02:00:00:00:00:01":       "",                   // made up by software
		"nonsense":                "",
		"":                        "",
		"70:b3:d5:00:00:01":       "", // a block that is handed out in parts
		"80:00:00:48:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:0f:69": "", // InfiniBand, no IEEE prefix in front
	} {
		if got := VendorOf(mac); got != want {
			t.Errorf("VendorOf(%q) = %q, want %q", mac, got, want)
		}
	}
}
