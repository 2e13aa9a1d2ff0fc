// Package compose_test holds the compose file to the programs: that its settings
// and commands are theirs, that it starts in order and gives nothing away.
package compose_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"assimilation/saas"
	"assimilation/saas/cli"
)

type file struct {
	Services map[string]struct {
		Image       string
		Command     any
		Environment map[string]string
		Restart     string
		Ports       []string
		Networks    []string
		Volumes     []string
		ReadOnly    bool                                  `yaml:"read_only"`
		CapDrop     []string                              `yaml:"cap_drop"`
		DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
		Healthcheck struct{ Test []string }
	}
	Networks map[string]any
	Volumes  map[string]any
}

func load(t *testing.T) (f file, text string) {
	t.Helper()
	b, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return f, string(b)
}

// known are the variables that the service reads.
func known() map[string]bool {
	names := map[string]bool{}
	saas.Default(func(name string) string { names[name] = true; return "" })
	return names
}

func TestSettingsAreThoseOfTheProgram(t *testing.T) {
	f, _ := load(t)
	variables := known()
	for _, name := range []string{"migrate", "saas"} {
		s := f.Services[name]
		if len(s.Environment) == 0 {
			t.Errorf("%s has no settings", name)
		}
		for variable := range s.Environment {
			if !variables[variable] {
				t.Errorf("%s: nobody reads %s", name, variable)
			}
		}
		values := map[string]string{}
		for variable, value := range s.Environment {
			values[variable] = filled(value)
		}
		config := saas.Default(func(name string) string { return values[name] })
		if err := config.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		runs(t, name, s.Command)
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Errorf("%s may more than it needs", name)
		}
	}
	if check := f.Services["saas"].Healthcheck.Test; len(check) != 3 || check[1] != "/assim-saas" {
		t.Errorf("the service's health is asked by %v", check)
	} else {
		runs(t, "health", check[2:])
	}
}

// runs wants a command line to be one of the program's.
func runs(t *testing.T, name string, command any) {
	t.Helper()
	var args []string
	switch c := command.(type) {
	case []any:
		for _, word := range c {
			args = append(args, word.(string))
		}
	case []string:
		args = c
	}
	var out, errs strings.Builder
	if code := cli.Main(append(args, "--help"), &out, &errs); code != 0 || len(args) == 0 || !strings.Contains(out.String(), "assim-saas "+args[0]) {
		t.Errorf("%s: assim-saas %v: %d %s", name, args, code, errs.String())
	}
}

var variable = regexp.MustCompile(`\$\{([A-Z_]+)(:?[-?][^}]*)?\}`)

// filled puts a value in place of each variable.
func filled(value string) string {
	return variable.ReplaceAllStringFunc(value, func(v string) string {
		_, preset, has := strings.Cut(strings.Trim(v, "${}"), ":-")
		if has {
			return preset
		}
		return "filled"
	})
}

func TestNothingIsGivenAway(t *testing.T) {
	f, text := load(t)
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		if strings.Contains(m[1], "PASSWORD") && !strings.HasPrefix(m[2], ":?") {
			t.Errorf("%s has a default", m[0])
		}
	}
	for name, s := range f.Services {
		for variable, value := range s.Environment {
			if strings.Contains(variable, "PASSWORD") && !strings.HasPrefix(value, "${") {
				t.Errorf("%s: %s stands in the file", name, variable)
			}
		}
		if len(s.Ports) > 0 && name != "tls" {
			t.Errorf("%s is open to everybody at %v", name, s.Ports)
		}
		if tag := s.Image[strings.LastIndexByte(s.Image, ':')+1:]; tag == s.Image || tag == "latest" {
			t.Errorf("%s: image %s is of no version", name, s.Image)
		}
		for _, v := range s.Volumes {
			if from, _, _ := strings.Cut(v, ":"); f.Volumes[from] == nil {
				t.Errorf("%s: no volume %s", name, from)
			}
		}
		for _, n := range s.Networks {
			if f.Networks[n] == nil {
				t.Errorf("%s: no network %s", name, n)
			}
		}
	}
	if slices.Contains(f.Services["postgres"].Networks, "front") {
		t.Error("who ends TLS reaches the database")
	}
}

func TestItStartsInOrder(t *testing.T) {
	f, _ := load(t)
	for name, want := range map[string][2]string{
		"migrate": {"postgres", "service_healthy"}, "saas": {"migrate", "service_completed_successfully"}, "tls": {"saas", "service_healthy"},
	} {
		if got := f.Services[name].DependsOn[want[0]].Condition; got != want[1] {
			t.Errorf("%s waits for %s until %q, want %q", name, want[0], got, want[1])
		}
	}
	for name, s := range f.Services {
		if s.Restart != "no" && len(s.Healthcheck.Test) == 0 {
			t.Errorf("nobody looks after %s", name)
		}
	}
}

// "caddy reverse-proxy" turns its address for administration off: who asks that for its
// health is told that it has none.
func TestTheProxysHealthIsAskedWhereItAnswers(t *testing.T) {
	f, _ := load(t)
	tls := f.Services["tls"]
	_, answers, _ := strings.Cut(tls.Ports[len(tls.Ports)-1], ":")
	if check := tls.Healthcheck.Test; check[len(check)-1] != answers {
		t.Errorf("health is asked by %v, and the proxy answers at %s", check, answers)
	}
}

// TestTheImageHoldsWhatTheServiceNeeds compares paths that two files must agree on.
func TestTheImageHoldsWhatTheServiceNeeds(t *testing.T) {
	f, _ := load(t)
	b, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	environment := f.Services["saas"].Environment
	key := environment["ASSIM_MASTER_KEY_FILE"]
	for _, want := range []string{
		"/src/dist/ " + environment["ASSIM_DOWNLOADS"] + "/\n", " /state " + key[:strings.LastIndexByte(key, '/')] + "\n",
		`ENTRYPOINT ["/assim-saas"]`, "USER 65532:65532", "FROM scratch",
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the Dockerfile lacks %q", want)
		}
	}
}
