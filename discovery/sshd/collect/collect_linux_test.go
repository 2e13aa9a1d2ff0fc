package collect

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/sshd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

const (
	config = `# a comment
Include /etc/ssh/sshd_config.d/*.conf
Port 22
Port 2222
ListenAddress 10.0.0.1
ListenAddress [fd00::1]:2200
PermitRootLogin without-password
PermitRootLogin yes
MaxStartups 5
LoginGraceTime 1m30s
RekeyLimit 1G 1h
Ciphers -aes128*,chacha20-poly1305@openssh.com
MACs +hmac-extra
KexAlgorithms ^sntrup761x25519-sha512
ChallengeResponseAuthentication=no
AcceptEnv LANG LC_*
AcceptEnv TZ
AllowUsers ada grace
Subsystem sftp "/usr/lib/openssh/sftp-server" -f AUTH
HostKey /etc/ssh/key_rsa
HostKey /etc/ssh/key_missing
Match User ada Address 10.0.0.0/8
  X11Forwarding yes
  Include matched.conf
Match all
  Banner /etc/issue
Match User ada Address 10.0.0.0/8
  X11Forwarding no
  PermitTTY no
`
	elf = "\x7fELF\x00OpenSSH_9.2 %s\x00OpenSSH_2.*,OpenSSH_3.0*\x00OpenSSH_9.2p1 Debian-2\x00x\x00" +
		"aes128-ctr,aes192-ctr,aes256-ctr,chacha20-poly1305@openssh.com\x00hmac-sha2-256,hmac-sha2-512,umac-64@openssh.com,hmac-sha1\x00" +
		"gss-curve25519-sha256-,gss-b-,gss-c-,gss-d-\x00curve25519-sha256,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521\x00" +
		"ssh-ed25519-cert-v01@openssh.com,ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512\x00ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256\x00"
	rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7vbqajDw4o6gJy8UtmIbkcpnkO3Kwc4qsEnSZp/TR+fQi62F79RHWmwKOtFmwteURgLbj7D/WGuNLGOfa/2vse3G2eHnHl5CB8ruRX9fBl/KgwCVr2JaEuUm66bBQeP5XeBotdR4cvX38uPYivCDdPjJ1QWPdspTBKcxeFbccDw== root@" +
		discoverytest.HostName + "\n"
)

func TestSuite(t *testing.T) {
	over := func(files fstest.MapFS) func(*testing.T) discovery.Collector {
		return func(*testing.T) discovery.Collector { return New(files, "") }
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: over(fstest.MapFS{
			"etc/ssh/sshd_config": file(config), "usr/sbin/sshd": file(elf), "etc/ssh/key_rsa.pub": file(rsa),
			"etc/ssh/sshd_config.d/10-site.conf": file("PasswordAuthentication no\nMatch Group sftp\nForceCommand internal-sftp\n"),
			"etc/ssh/sshd_config.d/20-more.conf": file("PasswordAuthentication yes\nUsePAM YES\n"),
			"etc/ssh/matched.conf":               file("AllowTcpForwarding no\n"),
		})},
		discoverytest.Case{Name: "defaults", Collector: over(fstest.MapFS{
			"etc/ssh/sshd_config": file(""), "etc/ssh/ssh_host_rsa_key": file(""), "etc/ssh/ssh_host_rsa_key.pub": file("nonsense !"),
		})},
		discoverytest.Case{Name: "none", Collector: over(fstest.MapFS{"etc/ssh/ssh_config": file("")})},
	)
}

func TestNormal(t *testing.T) {
	for _, test := range [][3]string{
		{"rekeylimit", "default none", "0 0"}, {"rekeylimit", "512M", "536870912 0"}, {"rekeylimit", "", ""}, {"rekeylimit", "x 1h", "x 1h"},
		{"logingracetime", "1h30m", "5400"}, {"logingracetime", "soon", "soon"}, {"clientaliveinterval", "2w", "1209600"},
		{"maxstartups", "10:30:60", "10:30:60"}, {"streamlocalbindmask", "0077", "077"}, {"ipqos", "af21", "af21 af21"}, {"ipqos", "af21 cs1", "af21 cs1"}, {"loglevel", "verbose", "VERBOSE"}, {"banner", "None", "none"}, {"banner", "/etc/Issue", "/etc/Issue"},
	} {
		if got := normal(test[0], test[1]); got != test[2] {
			t.Errorf("%s %q: %q, want %q", test[0], test[1], got, test[2])
		}
	}
}

// TestThisHost holds the collector against sshd -T.
func TestThisHost(t *testing.T) {
	out, err := exec.Command("/usr/sbin/sshd", "-T").Output()
	if err != nil {
		t.Skipf("needs a server that can be started: %v", err)
	}
	facts, err := Local().Collect(t.Context())
	if err != nil || len(facts) != 1 {
		t.Fatal(facts, err)
	}
	var b kind.Facts
	if err := json.Unmarshal(facts[0].Body, &b); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if value == "without-password" {
			value = "prohibit-password"
		}
		want[name] = append(want[name], value)
	}
	for _, s := range b.Settings {
		got := slices.Concat(s.Values, s.Names)
		if s.Name == "listenaddress" {
			slices.Sort(got)
			slices.Sort(want[s.Name])
		}
		if !slices.Equal(got, want[s.Name]) {
			t.Errorf("%s: %q, sshd -T says %q", s.Name, got, want[s.Name])
		}
	}
	t.Logf("%d settings, sshd -T has %d", len(b.Settings), len(want))
}

func FuzzConfig(f *testing.F) {
	f.Add(config, elf, rsa)
	f.Add("Include *\nMatch\nMatch x\nPort\nRekeyLimit \"\"\nCiphers +\nListenAddress a]:b", "OpenSSH_1.1p", "ssh-rsa AAAAB3NzaC1yc2E=")
	f.Fuzz(func(t *testing.T, config, elf, key string) {
		files := fstest.MapFS{"etc/ssh/sshd_config": file(config), "usr/sbin/sshd": file(elf), "etc/ssh/key_rsa.pub": file(key)}
		facts, _ := New(files, "").Collect(t.Context())
		if len(facts) != 1 {
			t.Fatal("no fact")
		}
		if _, err := discovery.Diff(kind.Kind, nil, facts[0].Body); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkCollect(b *testing.B) {
	c := Local()
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
