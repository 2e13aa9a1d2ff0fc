// Package cli is the command line of assim-relay.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"assimilation/relay"
)

// The exit codes.
const (
	exitOK      = 0
	exitWrong   = 1 // something failed, or doctor found something
	exitUsage   = 2
	exitRefused = 3 // the service or the token says no; trying again will not help
	exitNobody  = 4 // no relay answers on the local HTTP address
)

const maxTokenFile = 4 << 10 // bytes read of a token file or of standard input

// Version of the program; the linker sets it.
var Version = "development"

// Streams are the process's standard streams.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// options are the values of all flags; a command defines those that it uses.
type options struct {
	Streams
	config    relay.Config
	tokenFile string
	advertise string
	output    string
	debug     bool
}

// exit is an error that carries its exit code.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string { return e.err.Error() }
func (e *exit) Unwrap() error { return e.err }

// Main runs one command and returns its exit code.
func Main(ctx context.Context, args []string, streams Streams) int {
	o := &options{Streams: streams, config: relay.Defaults()}
	o.config.Version = Version
	root := &cobra.Command{
		Use:   "assim-relay",
		Short: "Serves a site's probes and forwards what they find",
		Long: `assim-relay is the program of a site: it answers the site's probes on UDP 1984, keeps
what they report in a durable store, and forwards it to the service.

Environment: ASSIM_STATE, ASSIM_LISTEN, ASSIM_HTTP, ASSIM_CLUSTER, ASSIM_ADVERTISE, ASSIM_INSTALL, ASSIM_TOKEN, ASSIM_TOKEN_FILE,
ASSIM_OUTBOX_BYTES, ASSIM_NOTIFY_EXEC, ASSIM_NOTIFY_WEBHOOK, ASSIM_NOTIFY_WEBHOOK_SECRET,
ASSIM_NOTIFY_SYSLOG, ASSIM_NOTIFY_SMTP; flags win.
HTTPS_PROXY and SSL_CERT_FILE are honoured.
Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 refused by the service or for want of a token,
4 no relay answers locally.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exit{exitUsage, err} })
	root.AddCommand(runCommand(o), enrolCommand(o), statusCommand(o), probesCommand(o), verdictsCommand(o), ringCommand(o), topologyCommand(o), clusterCommand(o), downloadsCommand(o), previewCommand(o), doctorCommand(o), notifyTestCommand(o), versionCommand(o))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(streams.Err, "assim-relay:", err)
	if coded, ok := errors.AsType[*exit](err); ok {
		return coded.code
	}
	switch {
	case relay.Refused(err):
		return exitRefused
	case strings.HasPrefix(err.Error(), "unknown command"): // cobra has no type for it
		return exitUsage
	}
	return exitWrong
}

// noArguments is cobra.NoArgs with our exit code.
func noArguments(c *cobra.Command, args []string) error {
	if err := cobra.NoArgs(c, args); err != nil {
		return &exit{exitUsage, err}
	}
	return nil
}

// fromEnvironment fills what the environment says, before flags are read.
func fromEnvironment(target *string, name string) {
	if value := os.Getenv(name); value != "" {
		*target = value
	}
}

func (o *options) stateFlag(c *cobra.Command) {
	fromEnvironment(&o.config.State, "ASSIM_STATE")
	c.Flags().StringVar(&o.config.State, "state", o.config.State, "folder of the store")
}

func (o *options) httpFlag(c *cobra.Command) {
	fromEnvironment(&o.config.HTTP, "ASSIM_HTTP")
	c.Flags().StringVar(&o.config.HTTP, "http", o.config.HTTP, "loopback address of the local status")
}

func (o *options) listenFlag(c *cobra.Command) {
	fromEnvironment(&o.config.Listen, "ASSIM_LISTEN")
	c.Flags().StringVar(&o.config.Listen, "listen", o.config.Listen, "UDP address for probes")
}

func (o *options) tokenFlags(c *cobra.Command) {
	fromEnvironment(&o.tokenFile, "ASSIM_TOKEN_FILE")
	c.Flags().StringVar(&o.tokenFile, "token-file", o.tokenFile, "file with the relay token, - for standard input")
	c.Flags().StringVar(&o.config.Name, "name", o.config.Name, "by which people know this relay")
	c.Flags().BoolVar(&o.debug, "debug", false, "log more")
}

func (o *options) outputFlag(c *cobra.Command) {
	c.Flags().StringVarP(&o.output, "output", "o", "table", "table or json")
	c.PreRunE = func(*cobra.Command, []string) error {
		if o.output != "table" && o.output != "json" {
			return &exit{exitUsage, fmt.Errorf("-o is table or json, not %q", o.output)}
		}
		return nil
	}
}

func (o *options) log() *slog.Logger { return o.config.Telemetry.Logger(o.handler()) }

func (o *options) handler() slog.Handler {
	level := slog.LevelInfo
	if o.debug {
		level = slog.LevelDebug
	}
	return slog.NewTextHandler(o.Err, &slog.HandlerOptions{Level: level})
}

// token reads the token from the file, standard input or the environment; empty
// if there is none.
func (o *options) token() (string, error) {
	switch o.tokenFile {
	case "":
		return strings.TrimSpace(os.Getenv("ASSIM_TOKEN")), nil
	case "-":
		return readToken(o.In)
	}
	file, err := os.Open(o.tokenFile)
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	defer file.Close()
	return readToken(file)
}

func readToken(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxTokenFile))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

func (o *options) printJSON(v any) error {
	encoder := json.NewEncoder(o.Out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
