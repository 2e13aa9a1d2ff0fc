package certificates

import "testing"

func TestHello(t *testing.T) {
	for setting, want := range map[string]struct{ https, ssh, odd bool }{
		"":         {true, false, false},
		"usual":    {true, false, false},
		"all":      {true, true, true},
		"off":      {},
		"22, 4711": {false, true, true},
		" 443":     {true, false, false},
	} {
		h, err := ParseHello(setting)
		if err != nil {
			t.Errorf("%q: %v", setting, err)
		}
		if h.Asks(443) != want.https || h.Asks(22) != want.ssh || h.Asks(4711) != want.odd {
			t.Errorf("%q: 443 %v, 22 %v, 4711 %v", setting, h.Asks(443), h.Asks(22), h.Asks(4711))
		}
	}
	for _, bad := range []string{"on", "443;8443", "0", "65536", "-1", "443,", "all,443"} {
		if _, err := ParseHello(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
