package downloads_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"assimilation/tenancy"
)

// TestMain lets the test binary stand for the programs that it installs: a copy
// of it by the name of one is a real program for this machine.
func TestMain(m *testing.M) {
	if strings.HasPrefix(filepath.Base(os.Args[0]), "assim-") {
		os.Exit(program(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// program does what the script wants of a relay or probe: version, and run,
// which notes what it was given and stays.
func program(args []string) int {
	switch strings.Join(args, " ") {
	case "version":
		return 0
	case "run":
		token, err := os.ReadFile(os.Getenv("ASSIM_TOKEN_FILE"))
		if err != nil || bytes.Contains(token, []byte("asm_enr_000000000000")) {
			fmt.Fprintln(os.Stderr, "this token is refused")
			return 3
		}
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		notes := strings.Join(os.Environ(), "\n") + "\ntoken " + string(token)
		if err := os.WriteFile(filepath.Join(os.Getenv("ASSIM_STATE"), "notes"), []byte(notes), 0o600); err != nil {
			return 1
		}
		<-stop
		return 0
	}
	return 2
}

// machine is a place to install to, and a service to install from.
type machine struct {
	t                  *testing.T
	folder, base, root string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	t.Parallel() // the script waits a second here and there
	if runtime.GOOS != "linux" {
		t.Skip("relays and probes are installed on Linux")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		if _, err := exec.LookPath("wget"); err != nil {
			t.Skip("neither curl nor wget is here, one of which every installation needs")
		}
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, folder: t.TempDir(), root: t.TempDir()}
	for _, name := range []string{"assim-probe", "assim-relay"} {
		write(t, filepath.Join(m.folder, name), string(self))
	}
	m.base = serve(t, m.folder)
	t.Cleanup(func() { m.sh("", nil, "--uninstall") })
	return m
}

func (m *machine) path(name string) string { return filepath.Join(m.root, name) }

// sh runs the script as curl | sh does, and returns what it said.
func (m *machine) sh(stdin string, env []string, args ...string) (string, int) {
	m.t.Helper()
	_, script := get(m.t, m.base+"/install.sh")
	return m.run(script, stdin, env, args...)
}

func (m *machine) run(script, stdin string, env []string, args ...string) (string, int) {
	m.t.Helper()
	command := exec.CommandContext(m.t.Context(), "sh", append([]string{"-s", "--"}, args...)...)
	command.Stdin = strings.NewReader(script)
	if m.t.Context().Err() != nil { // in a cleanup
		command = exec.Command("sh", append([]string{"-s", "--"}, args...)...)
		command.Stdin = strings.NewReader(script)
	}
	if stdin != "" {
		file := filepath.Join(m.t.TempDir(), "install.sh")
		write(m.t, file, script)
		command.Args = append([]string{"sh", file}, args...)
		command.Stdin = strings.NewReader(stdin)
	}
	command.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "ASSIM_PREFIX=" + m.path("usr"), "ASSIM_ETC=" + m.path("etc"), "ASSIM_STATE=" + m.path("state"),
	}, env...)
	said, err := command.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(said), exit.ExitCode()
	} else if err != nil {
		m.t.Fatal(err)
	}
	return string(said), 0
}

func (m *machine) read(name string) string {
	m.t.Helper()
	content, err := os.ReadFile(m.path(name))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(content)
}

func (m *machine) pid(program string) int {
	m.t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(m.read("state/" + program + ".pid")))
	if err != nil {
		m.t.Fatal(err)
	}
	return pid
}

func (m *machine) mustBe(what, said string, code, want int, texts ...string) {
	m.t.Helper()
	if code != want {
		m.t.Fatalf("%s: exit code %d, want %d:\n%s", what, code, want, said)
	}
	for _, text := range texts {
		if !strings.Contains(said, text) {
			m.t.Errorf("%s: does not say %q:\n%s", what, text, said)
		}
	}
}

func probeToken() string { return tenancy.NewToken(tenancy.EnrolToken, [32]byte{1}, "").String() }

func TestInstallUpgradeUninstall(t *testing.T) {
	m := newMachine(t)
	token := probeToken()
	said, code := m.sh("", []string{"ASSIM_TOKEN=" + token, "ASSIM_RELAY=10.0.0.5:1984"})
	m.mustBe("install", said, code, 0, "installed", "runs in the background", "done")
	if strings.Contains(said, token) {
		t.Error("the script shows the token")
	}
	if got := m.read("etc/probe.token"); got != token+"\n" {
		t.Errorf("token file = %q", got)
	}
	for _, file := range []string{"etc/probe.token", "etc/probe.env"} {
		if info, err := os.Stat(m.path(file)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	first := m.pid("assim-probe")
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", first))
	if err != nil || string(command) != m.path("usr/bin/assim-probe")+"\x00run\x00" {
		t.Errorf("what runs is %q, %v", command, err)
	}
	notes := m.read("state/notes")
	if !strings.Contains(notes, "token "+token) || !strings.Contains(notes, "\nASSIM_RELAY=10.0.0.5:1984\n") {
		t.Errorf("the program was given:\n%s", notes)
	}
	if strings.Contains(notes, "ASSIM_TOKEN=") {
		t.Error("the program has the token in its environment")
	}

	said, code = m.sh("", []string{"ASSIM_TOKEN=" + token})
	m.mustBe("again", said, code, 0, "up to date", "runs already")
	if m.pid("assim-probe") != first {
		t.Error("installing the same again restarted the program")
	}

	// An upgrade needs no token, and keeps the settings.
	file, err := os.OpenFile(filepath.Join(m.folder, "assim-probe"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("newer"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	said, code = m.sh("", nil)
	m.mustBe("upgrade", said, code, 0, "installed", "stopping process "+strconv.Itoa(first))
	if m.pid("assim-probe") == first {
		t.Error("the old program still runs")
	}
	if notes := m.read("state/notes"); !strings.Contains(notes, "\nASSIM_RELAY=10.0.0.5:1984\n") {
		t.Error("the upgrade forgot the relay's address")
	}
	said, code = m.sh("", []string{"ASSIM_TOKEN=" + token, "ASSIM_LISTEN=:2984"})
	m.mustBe("another setting", said, code, 0)
	if got, want := m.read("etc/probe.env"), "ASSIM_STATE="+m.path("state")+"\nASSIM_LISTEN=:2984\nASSIM_RELAY=10.0.0.5:1984\n"; got != want {
		t.Errorf("settings = %q, want %q", got, want)
	}

	second := m.pid("assim-probe")
	said, code = m.sh("", []string{"ASSIM_STATE=/nowhere"}, "--uninstall")
	m.mustBe("uninstall", said, code, 0, "removed assim-probe", "state and identity are kept")
	for _, file := range []string{"usr/bin/assim-probe", "etc/probe.token", "etc/probe.env", "state/assim-probe.pid"} {
		if _, err := os.Stat(m.path(file)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", file, err)
		}
	}
	if err := syscall.Kill(second, 0); err == nil {
		t.Error("the program still runs")
	}
	if left, err := os.ReadDir(m.path("etc")); err != nil || len(left) != 0 {
		t.Errorf("left in etc: %v, %v", left, err)
	}
}

func TestWaysToGiveAToken(t *testing.T) {
	relay := tenancy.NewToken(tenancy.RelayToken, [32]byte{1}, "https://assimilation.example").String()
	t.Run("standard input", func(t *testing.T) {
		m := newMachine(t)
		said, code := m.sh(relay+"\n", nil)
		m.mustBe("install", said, code, 0, "installing assim-relay")
		if got := m.read("etc/relay.token"); got != relay+"\n" {
			t.Errorf("token file = %q", got)
		}
	})
	t.Run("file", func(t *testing.T) {
		m := newMachine(t)
		write(t, m.path("given"), relay) // without a line's end
		said, code := m.sh("", []string{"ASSIM_TOKEN_FILE=" + m.path("given")})
		m.mustBe("install", said, code, 0, "installing assim-relay")
	})
}

func TestInstallRefuses(t *testing.T) {
	m := newMachine(t)
	good := probeToken()
	other := "a"
	if good[40] == 'a' {
		other = "b"
	}
	flipped := good[:40] + other + good[41:]
	if _, err := tenancy.ParseToken(flipped); err == nil {
		t.Fatal("the damaged token is none")
	}
	for name, c := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"no token":            {nil, nil, "no token"},
		"damaged token":       {[]string{"ASSIM_TOKEN=" + flipped}, nil, "malformed token: its checksum does not match"},
		"cut token":           {[]string{"ASSIM_TOKEN=" + good[:len(good)-3]}, nil, "malformed token"},
		"foreign characters":  {[]string{"ASSIM_TOKEN=" + good + "$(id)"}, nil, "malformed token"},
		"no token at all":     {[]string{"ASSIM_TOKEN=hello"}, nil, "malformed token"},
		"API token":           {[]string{"ASSIM_TOKEN=asm_api_abc"}, nil, "API token"},
		"token as argument":   {nil, []string{good}, "can be read by every user"},
		"unknown argument":    {nil, []string{"--force"}, "unknown argument"},
		"token file missing":  {[]string{"ASSIM_TOKEN_FILE=" + m.path("none")}, nil, "cannot be read"},
		"nothing to remove":   {nil, []string{"--uninstall"}, "nothing is installed"},
		"setting with quotes": {[]string{"ASSIM_TOKEN=" + good, "ASSIM_RELAY=a';reboot;'"}, nil, "cannot be kept"},
	} {
		said, code := m.sh("", c.env, c.args...)
		m.mustBe(name, said, code, 1, c.want)
		if strings.Contains(said, good) || strings.Contains(said, flipped) {
			t.Errorf("%s: shows the token", name)
		}
		if _, err := os.Stat(m.path("etc/probe.token")); err == nil {
			t.Errorf("%s: a token was stored", name)
		}
	}
	said, code := m.sh("", nil, "--help")
	m.mustBe("help", said, code, 0, "ASSIM_TOKEN_FILE")
}

func TestWrongChecksumInstallsNothing(t *testing.T) {
	m := newMachine(t)
	_, script := get(t, m.base+"/install.sh")
	write(t, filepath.Join(m.folder, "assim-probe"), "#!/bin/sh\nexit 0\n") // changed on its way
	said, code := m.run(script, "", []string{"ASSIM_TOKEN=" + probeToken()})
	m.mustBe("install", said, code, 1, "checksum of assim-probe-linux-"+runtime.GOARCH, "nothing was changed")
	for _, file := range []string{"usr", "etc", "state"} {
		if _, err := os.Stat(m.path(file)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was made", file)
		}
	}
}

func TestDownloadThatDoesNotWork(t *testing.T) {
	m := newMachine(t)
	_, script := get(t, m.base+"/install.sh")
	if err := os.Remove(filepath.Join(m.folder, "assim-probe")); err != nil {
		t.Fatal(err)
	}
	said, code := m.run(script, "", []string{"ASSIM_TOKEN=" + probeToken()})
	m.mustBe("file gone", said, code, 1, "did not work; nothing was changed")
	said, code = m.sh("", []string{"ASSIM_TOKEN=" + probeToken()})
	m.mustBe("file not offered", said, code, 1, "offers no assim-probe-linux")
	write(t, filepath.Join(m.folder, "assim-probe"), "not a program")
	said, code = m.sh("", []string{"ASSIM_TOKEN=" + probeToken()})
	m.mustBe("not a program", said, code, 1, "does not run on this machine")
	if _, err := os.Stat(m.path("usr/bin/assim-probe")); !errors.Is(err, os.ErrNotExist) {
		t.Error("something was installed")
	}
}

func TestProgramThatEndsAtOnceIsReported(t *testing.T) {
	m := newMachine(t)
	refused := tenancy.NewToken(tenancy.EnrolToken, [32]byte{1}, "")
	refused.ID = "000000000000" // the sign for the test's program
	said, code := m.sh("", []string{"ASSIM_TOKEN=" + refused.String()})
	m.mustBe("install", said, code, 1, "ended at once", "this token is refused")
}

func TestDryRunChangesNothing(t *testing.T) {
	m := newMachine(t)
	said, code := m.sh("", []string{"ASSIM_TOKEN=" + probeToken()}, "--dry-run")
	m.mustBe("dry run", said, code, 0, "would download", "would write "+m.path("etc/probe.token"), "would start")
	if left, err := os.ReadDir(m.root); err != nil || len(left) != 0 {
		t.Errorf("made: %v, %v", left, err)
	}
}

func TestScriptIsClean(t *testing.T) {
	shellcheck, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("shellcheck is not here")
	}
	if said, err := exec.CommandContext(t.Context(), shellcheck, "../../../ops/install/install.sh").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

// TestUnderSystemd runs the script where systemd seems to run: in a mount
// namespace where the folders that it writes to are empty, with a systemctl that
// notes what it is told.
func TestUnderSystemd(t *testing.T) {
	m := newMachine(t)
	if os.Getuid() != 0 {
		t.Skip("mounts need root")
	}
	tools := t.TempDir()
	write(t, filepath.Join(tools, "systemctl"), "#!/bin/sh\necho systemctl \"$@\"\n[ \"$1\" != is-active ]\n")
	write(t, filepath.Join(tools, "script"), func() string { _, script := get(t, m.base+"/install.sh"); return script }())
	token := probeToken()
	session := `set -e
		for folder in /run /usr/local /etc /var/lib; do mount -t tmpfs none $folder; done
		mkdir -p /run/systemd/system
		ASSIM_TOKEN=` + token + ` ASSIM_LISTEN=:2984 sh script
		stat -c '%n %a' /usr/local/bin/assim-probe /etc/assim/probe.token /etc/assim/probe.env /etc/systemd/system/assim-probe.service
		cat /etc/systemd/system/assim-probe.service.d/token.conf /etc/assim/probe.env
		echo again; sh script </dev/null
		echo removing; sh script --uninstall </dev/null
		ls /usr/local/bin /etc/systemd/system /etc/assim`
	command := exec.CommandContext(t.Context(), "sh", "-c", session)
	command.Dir = tools
	command.Env = []string{"PATH=" + tools + ":" + os.Getenv("PATH")}
	command.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	output, err := command.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("this machine allows no mount namespace")
	}
	said := string(output)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	install, rest, _ := strings.Cut(said, "\nagain\n")
	again, removal, _ := strings.Cut(rest, "\nremoving\n")
	m.mustBe("install", install, 0, 0, "systemctl daemon-reload", "systemctl enable --quiet assim-probe.service",
		"systemctl restart assim-probe.service", "runs under systemd", "/usr/local/bin/assim-probe 755", "/etc/assim/probe.token 600",
		"/etc/assim/probe.env 600", "assim-probe.service 644", "LoadCredential=token:/etc/assim/probe.token", "ASSIM_TOKEN_FILE=%d/token", "ASSIM_LISTEN=:2984")
	m.mustBe("again", again, 0, 0, "up to date", "runs under systemd")
	m.mustBe("removal", removal, 0, 0, "systemctl disable --now --quiet assim-probe.service", "removed assim-probe")
	if _, left, _ := strings.Cut(removal, "are kept in"); strings.Contains(left, "assim-probe.service") || strings.Contains(left, "probe.token") {
		t.Errorf("left after the removal:\n%s", left)
	}
	if strings.Contains(said, token) {
		t.Error("the script shows the token")
	}
}
