// Package cli is the command line of assim-probe.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"assimilation/discovery/collectors"
	"assimilation/probe"
)

// The exit codes.
const (
	exitOK      = 0
	exitWrong   = 1 // something failed, or doctor found something
	exitUsage   = 2
	exitRefused = 3 // enrol: the relay or the token says no; trying again will not help
	exitNobody  = 4 // enrol: no relay answered, or it asked to try later
)

const (
	defaultState = "/var/lib/assim-probe"
	maxTokenFile = 4 << 10 // bytes read of a token file or of standard input
)

// Version of the program; the linker sets it.
var Version = "development"

// Streams are the process's standard streams.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// command is one verb.
type command struct {
	name, arguments, summary string
	examples                 []string
	flags                    func(*flag.FlagSet, *options)
	run                      func(context.Context, *options, []string) int
}

// options are the values of all flags; a command defines those that it uses.
type options struct {
	Streams
	state, relay, listen, tokenFile, output string
	debug, cost, move                       bool
	wait                                    int // seconds
	labels                                  labels
	discovery                               collectors.Options
}

func commands() []command {
	return []command{
		{"run", "", "discover this host and report to a relay until stopped", []string{
			"assim-probe run --token-file /etc/assim/probe.token",
			"ASSIM_RELAY=10.0.0.5:1984 assim-probe run",
			"assim-probe run --state /tmp/second --listen :0",
			"assim-probe run --label zone=hall-2 --label rack=r17",
		}, runFlags, run},
		{"facts", "[KIND...]", "print what would be sent, without a relay", []string{
			"assim-probe facts",
			"assim-probe facts -o json sockets | jq .body",
			"assim-probe facts --cost",
			"assim-probe facts x-reboot-required    # run one script of /etc/assim/discovery.d",
		}, factsFlags, facts},
		{"status", "", "ask the running probe how it is", []string{
			"assim-probe status",
			"assim-probe status -o json",
		}, statusFlags, showStatus},
		{"doctor", "", "check what a probe needs, and say what to do", []string{
			"assim-probe doctor",
			"assim-probe doctor --relay 10.0.0.5:1984",
		}, doctorFlags, doctor},
		{"enrol", "", "enrol this host once, with a token, and exit", []string{
			"assim-probe enrol --token-file /etc/assim/probe.token",
			"echo asm_enr_... | assim-probe enrol",
			"systemctl stop assim-probe && ASSIM_TOKEN=asm_enr_... assim-probe enrol --move && systemctl start assim-probe",
		}, enrolFlags, enrol},
		{"version", "", "print the version", []string{"assim-probe version"}, func(*flag.FlagSet, *options) {}, showVersion},
	}
}

// Main runs one command and returns the exit code.
func Main(ctx context.Context, args []string, streams Streams) int {
	if len(args) == 0 {
		usage(streams.Err)
		return exitUsage
	}
	if name := args[0]; name == "help" || name == "-h" || name == "--help" {
		usage(streams.Out)
		return exitOK
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		o := &options{Streams: streams}
		rest, code, ok := c.parse(o, args[1:])
		if !ok {
			return code
		}
		return c.run(ctx, o, rest)
	}
	fmt.Fprintf(streams.Err, "assim-probe: no command %q\n\n", args[0])
	usage(streams.Err)
	return exitUsage
}

func (c command) parse(o *options, args []string) (rest []string, code int, ok bool) {
	set := flag.NewFlagSet(c.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	c.flags(set, o)
	err := discoveryEnvironment(set)
	if err == nil {
		err = set.Parse(args)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.help(o.Out, set)
		return nil, exitOK, false
	case err == nil && c.arguments == "" && set.NArg() > 0:
		err = fmt.Errorf("%q takes no arguments", c.name)
	}
	if err != nil {
		fmt.Fprintf(o.Err, "assim-probe: %v; see assim-probe %s --help\n", err, c.name)
		return nil, exitUsage, false
	}
	return set.Args(), 0, true
}

func (c command) help(w io.Writer, set *flag.FlagSet) {
	fmt.Fprintf(w, "assim-probe %s: %s\n\nUsage:\n  assim-probe %s [flags] %s\n", c.name, c.summary, c.name, c.arguments)
	fmt.Fprintf(w, "\nExamples:\n  %s\n", strings.Join(c.examples, "\n  "))
	first := true
	set.VisitAll(func(f *flag.Flag) {
		if first {
			fmt.Fprint(w, "\nFlags:\n")
			first = false
		}
		dash := "--"
		if len(f.Name) == 1 {
			dash = "-"
		}
		fmt.Fprintf(w, "  %s%-12s %s\n", dash, f.Name, f.Usage)
	})
}

func usage(w io.Writer) {
	fmt.Fprint(w, "assim-probe discovers the host it runs on and reports to a relay of its site.\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-8s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, `
Environment (flags win):
  ASSIM_STATE       state directory, default `+defaultState+`
  ASSIM_RELAY       host:port of relays, by comma; default: by token, then multicast
  ASSIM_LISTEN      UDP address; default: port 1984 if free, else any
  ASSIM_LABELS      labels of this host, by comma: zone=hall-2,rack=r17
  ASSIM_TLS_HELLO   which TCP listeners of this host are asked for their certificates:
                    usual (those at ports of TLS), all, off, or ports by comma
  ASSIM_CLOUD_METADATA
                    yes: the cloud's metadata service may be asked
  ASSIM_TOKEN_FILE  file with the enrolment token
  ASSIM_TOKEN       the enrolment token itself

Exit codes: 0 done, 1 failed or doctor found something, 2 wrong usage,
  3 enrolment refused for good, 4 no relay answered or try again later.
`)
}

func commonFlags(set *flag.FlagSet, o *options) {
	set.StringVar(&o.state, "state", orDefault(os.Getenv("ASSIM_STATE"), defaultState), "state directory (ASSIM_STATE)")
}

func networkFlags(set *flag.FlagSet, o *options) {
	commonFlags(set, o)
	set.StringVar(&o.relay, "relay", os.Getenv("ASSIM_RELAY"), "host:port of relays, by comma (ASSIM_RELAY)")
	set.StringVar(&o.tokenFile, "token-file", os.Getenv("ASSIM_TOKEN_FILE"), "file with the enrolment token (ASSIM_TOKEN_FILE)")
	set.BoolVar(&o.debug, "debug", false, "log more")
}

func listenFlag(set *flag.FlagSet, o *options) {
	set.StringVar(&o.listen, "listen", os.Getenv("ASSIM_LISTEN"), "UDP address to bind; default port 1984 if free, else any (ASSIM_LISTEN)")
}

func outputFlag(set *flag.FlagSet, o *options) {
	set.StringVar(&o.output, "o", "readable", "output: readable or json")
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func (o *options) log() *slog.Logger {
	level := slog.LevelInfo
	if o.debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(o.Err, &slog.HandlerOptions{Level: level}))
}

func (o *options) relays() []string {
	return strings.FieldsFunc(o.relay, func(r rune) bool { return r == ',' || r == ' ' })
}

// token reads the token from the file or the environment; empty if there is
// none.
func (o *options) token() (string, error) {
	if o.tokenFile == "" {
		return strings.TrimSpace(os.Getenv("ASSIM_TOKEN")), nil
	}
	f, err := os.Open(o.tokenFile)
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	defer f.Close()
	return readToken(f)
}

func readToken(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxTokenFile))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

func (o *options) config(token string) probe.Config {
	return probe.Config{
		State:      o.state,
		Token:      token,
		Relays:     o.relays(),
		Listen:     o.listen,
		Version:    Version,
		Collectors: collectors.All(o.discovery),
		Log:        o.log(),
	}
}

// fail prints why a command failed.
func (o *options) fail(err error) int {
	fmt.Fprintln(o.Err, "assim-probe:", err)
	return exitWrong
}

func (o *options) goodOutput() bool {
	if o.output == "readable" || o.output == "json" {
		return true
	}
	fmt.Fprintf(o.Err, "assim-probe: -o is readable or json, not %q\n", o.output)
	return false
}
