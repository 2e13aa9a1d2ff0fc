package collect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/scripts"
)

const hello = "#!/bin/sh\necho '{\"hello\": 1}'\n"

// folder writes files into a new folder; those without a dot in their names are
// executable.
func folder(t testing.TB, files map[string]string) *Collector {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "discovery.d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		mode := os.FileMode(0o755)
		if strings.Contains(name, ".") {
			mode = 0o600
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return New(dir, uint32(os.Getuid()))
}

func TestSuite(t *testing.T) {
	over := func(files map[string]string) func(*testing.T) discovery.Collector {
		return func(t *testing.T) discovery.Collector { return folder(t, files) }
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: over(map[string]string{
			"reboot-required": hello, "README.md": "what these are", "old.sh.bak": hello,
			"backup-age": hello, "backup-age.conf": "# daily\ninterval = 1h\ntimeout=2m\nASSIM_PATH=/var/backups of ours\n",
		})},
		discoverytest.Case{Name: "none", Collector: over(nil)},
	)
}

func TestMembersRunTheScripts(t *testing.T) {
	c := folder(t, map[string]string{"one": hello, "two": "#!/bin/sh\necho \"{\\\"x\\\": \\\"$ASSIM_X\\\"}\"", "two.conf": "ASSIM_X=a = b\n"})
	if _, err := c.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := c.Members()
	var said []string
	for _, member := range first {
		facts, err := member.Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, facts[0].Kind+" "+string(facts[0].Body))
	}
	if got := strings.Join(said, ", "); got != `x-one {"hello":1}, x-two {"x":"a = b"}` {
		t.Error(got)
	}
	// Whoever compares members learns which were edited.
	if err := os.WriteFile(filepath.Join(c.dir, "two.conf"), []byte("ASSIM_X=c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := c.Members(); again[0] != first[0] || again[1] == first[1] {
		t.Errorf("members %v after %v", again, first)
	}
}

func TestScriptsAreRefusedByName(t *testing.T) {
	many := map[string]string{}
	for i := range kind.Max + 1 {
		many[fmt.Sprintf("s%02d", i)] = hello
	}
	for _, c := range []struct {
		name   string
		files  map[string]string
		change func(t *testing.T, dir string) error
		script string // that is refused
		want   string
	}{
		{"a name that is no kind", map[string]string{"Backup_Age": hello}, nil, "Backup_Age", "is not named as a kind"},
		{"a name with the prefix", map[string]string{"x-a": hello, "a": hello}, nil, "./x-a", "without x- before it"},
		{"too long a name", map[string]string{strings.Repeat("a", 31): hello}, nil, strings.Repeat("a", 31), "at most 30"},
		{"writable by others", map[string]string{"open": hello}, func(_ *testing.T, dir string) error { return os.Chmod(dir+"/open", 0o757) }, "open", "others than its owner may write it"},
		{"writable by a group", map[string]string{"open": hello}, func(_ *testing.T, dir string) error { return os.Chmod(dir+"/open", 0o775) }, "open", "has mode 0775"},
		{"of another user", map[string]string{"theirs": hello}, func(t *testing.T, dir string) error { return chown(t, dir+"/theirs") }, "theirs", "belongs to user 12345"},
		{"a link", nil, func(_ *testing.T, dir string) error { return os.Symlink("/bin/true", dir+"/link") }, "link", "symbolic link"},
		{"bad conf", map[string]string{"a": hello, "a.conf": "\ninterval=5s\n"}, nil, "a", "a.conf whose line 2 is no duration from 1m0s"},
		{"conf of another user", map[string]string{"a": hello, "a.conf": ""}, func(t *testing.T, dir string) error { return chown(t, dir+"/a.conf") }, "a", "a.conf that belongs to user 12345"},
		{"conf that is a pipe", map[string]string{"a": hello}, func(_ *testing.T, dir string) error { return os.Mkdir(dir+"/a.conf", 0o755) }, "a", "a.conf that is no plain file"},
		{"one too many", many, nil, "s32", "at most 32 scripts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			collector := folder(t, c.files)
			if c.change != nil {
				if err := c.change(t, collector.dir); err != nil {
					t.Fatal(err)
				}
			}
			facts, err := collector.Collect(t.Context())
			invalid, is := errors.AsType[*discovery.Invalid](err)
			if !is || invalid.Kind != "scripts" || invalid.Instance != c.script || !strings.Contains(invalid.Why, c.want) {
				t.Fatalf("error is %v", err)
			}
			said := ""
			for _, f := range facts {
				if f.Instance == "refused "+c.script {
					said = string(f.Body)
				}
			}
			if !strings.Contains(said, `"refused":"`) {
				t.Errorf("facts are %v", facts)
			}
			for _, member := range collector.Members() {
				if member.Kind().Name == "x-"+c.script {
					t.Error("it is run all the same")
				}
			}
		})
	}
}

func chown(t *testing.T, path string) error {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	return os.Chown(path, 12345, 12345)
}

func TestFolderThatOthersMayChangeHasNoScripts(t *testing.T) {
	for _, where := range []string{".", ".."} {
		c := folder(t, map[string]string{"one": hello})
		if err := os.Chmod(filepath.Join(c.dir, where), 0o777); err != nil {
			t.Fatal(err)
		}
		facts, err := c.Collect(t.Context())
		if err == nil || !strings.Contains(err.Error(), "no script is run") || len(facts) != 0 || len(c.Members()) != 0 {
			t.Errorf("%s: %v, %v", where, facts, err)
		}
	}
}

// TestWatch adds a script, removes it, removes the folder, and makes it anew.
func TestWatch(t *testing.T) {
	c := folder(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan struct{}, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- c.Watch(ctx, func() {
			select {
			case events <- struct{}{}:
			default:
			}
		})
	}()
	// Each change is made again until it is told: the watch begins at some time.
	until := func(what string, change func() error) {
		t.Helper()
		for {
			if err := change(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-events:
				return
			case err := <-ended:
				t.Fatalf("%s: watching ended: %v", what, err)
			default:
			}
		}
	}
	script := filepath.Join(c.dir, "one")
	write := func() error { return os.WriteFile(script, []byte(hello), 0o755) }
	until("added", write)
	until("mode", func() error { return os.Chmod(script, 0o755) })
	until("folder removed", func() error {
		if err := os.RemoveAll(c.dir); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(filepath.Dir(c.dir), "beside"), nil, 0o600)
	})
	if err := os.Mkdir(c.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	until("added again", write)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestParseConf(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "15m0s 30s []"},
		{"# x\n interval = 90s \ntimeout=1500ms\nASSIM_A=x = y\n", "1m30s 1s [ASSIM_A=x = y]"},
		{"interval=30s", "line 1 is no duration"},
		{"\ntimeout=10m", "line 2 is no duration"},
		{"PATH=/tmp", "line 1 sets neither"},
		{"ASSIM_KIND=x-other", "sets ASSIM_KIND"},
		{"ASSIM_a=1", "whose name"},
		{"just words", "is not NAME=VALUE"},
		{"ASSIM_A=a\x01b", "plain text"},
		{"ASSIM_A=" + strings.Repeat("x", maxArgument), "plain text"},
		{strings.Repeat("ASSIM_A=1\n", maxArguments+1), "at most 32"},
	} {
		got, err := parseConf(c.text)
		text := fmt.Sprint(got.interval, " ", got.timeout, " ", got.arguments)
		if err != nil {
			text = err.Error()
		}
		if !strings.Contains(text, c.want) {
			t.Errorf("%.40q: %s, want %s", c.text, text, c.want)
		}
	}
}

func FuzzParseConf(f *testing.F) {
	f.Add("interval=1h\nASSIM_A=b\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseConf(text)
		if err != nil {
			return
		}
		if c.interval < kind.MinInterval || c.timeout < kind.MinTimeout || c.timeout > kind.MaxTimeout || len(c.arguments) > maxArguments {
			t.Errorf("%q is %+v", text, c)
		}
		for _, a := range c.arguments {
			if !strings.HasPrefix(a, "ASSIM_") || strings.ContainsAny(a, "\n\x00") {
				t.Errorf("argument %q", a)
			}
		}
	})
}
