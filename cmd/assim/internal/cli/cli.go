// Package cli holds the commands of assim.
//
// Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 not logged in or
// not allowed; 4 not found; 5 the service did not answer; 10 safe-to-reboot says no.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"assimilation/cmd/assim/internal/client"
	contexts "assimilation/cmd/assim/internal/context"
	"assimilation/cmd/assim/internal/output"
)

// Version is set by the build.
var Version = "development"

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitDenied      = 3
	exitNotFound    = 4
	exitUnreachable = 5
	exitUnsafe      = 10
)

// session is what every command works with.
type session struct {
	in       io.Reader
	out, err io.Writer
	format   output.Format
	context  string // --context
	running  bool   // arguments and flags were accepted
}

// usageError marks a wrong command line.
type usageError struct{ error }

// Main runs one command line and returns the exit code.
func Main(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s := &session{in: in, out: out, err: errs, format: output.Table}
	root := s.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if !s.running || strings.HasPrefix(err.Error(), "required flag") { // cobra checks these last, and without a type
		err = usageError{err}
	}
	text := err.Error()
	if problem := (*client.Problem)(nil); errors.As(err, &problem) {
		text = output.Printable(text)
	}
	fmt.Fprintln(errs, "assim:", text)
	return exitCode(err)
}

func exitCode(err error) int {
	var problem *client.Problem
	var unreachable *client.Unreachable
	var usage usageError
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &unreachable):
		return exitUnreachable
	case errors.Is(err, errUnsafe):
		return exitUnsafe
	case errors.As(err, &problem):
		switch problem.Status {
		case 401, 403:
			return exitDenied
		case 404:
			return exitNotFound
		}
	}
	return exitFailed
}

func (s *session) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "assim",
		Short: "Know every host, service, package and change of your estate",
		Long: `assim speaks to the Assimilation service for one tenant.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not logged in or not
allowed, 4 not found, 5 the service did not answer, 10 safe-to-reboot says no.`,
		Example: `  assim signup --url https://assimilation.example --email you@example.org --tenant Example
  assim site create paris
  assim token create --site paris --kind relay
  assim host list
  assim query hostdependencies host=web1 -o json`,
		Version:       Version,
		SilenceErrors: true,
		SilenceUsage:  true,

		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if s.format == output.SVG && cmd.Name() != "map" && cmd.Name() != "draw" || s.format == output.DOT && cmd.Name() != "draw" {
				return usageError{errors.New("only `assim graph draw` can be printed as svg or dot, and `assim map` as svg")}
			}
			s.running = true
			return nil
		},
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())}
	})
	root.PersistentFlags().VarP(&s.format, "output", "o", "print as table, json, yaml or csv; pictures also as svg or dot")
	root.PersistentFlags().StringVar(&s.context, "context", "", "use this context instead of the current one")
	root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml", "csv", "svg", "dot"}, cobra.ShellCompDirectiveNoFileComp))
	root.RegisterFlagCompletionFunc("context", s.contextNames())
	root.AddCommand(s.signup(), s.login(), s.logout(), s.whoami(), s.contexts(),
		s.tenant(), s.member(), s.apiToken(), s.audit(), s.usage(), s.export(), s.webhook(),
		s.site(), s.topology(), s.relay(), s.token(), s.host(), s.query(), s.view(), s.graph(), s.search(), s.graphMap(),
		s.why(), s.impact(), s.safeToReboot(),
		s.changes(), s.diff(), s.events(), s.verdict(), s.findings(), s.doctor())
	s.complete(root)
	return root
}

// group makes a command that only holds others, and says so when called bare.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, RunE: func(c *cobra.Command, args []string) error {
		var names []string
		for _, sub := range c.Commands() {
			names = append(names, sub.Name())
		}
		return usageError{fmt.Errorf("`%s` needs one of: %s", c.CommandPath(), strings.Join(names, ", "))}
	}}
	c.AddCommand(commands...)
	return c
}

// arguments checks the number of arguments as a usage error.
func arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			wanted := cmp.Or(strings.TrimSpace(strings.TrimPrefix(c.Use, c.Name())), "no arguments")
			return usageError{fmt.Errorf("`%s` takes %s; see --help", c.CommandPath(), wanted)}
		}
		return nil
	}
}

// service returns a client for the chosen context.
func (s *session) service() (*client.Client, error) {
	path, err := contexts.Path()
	if err != nil {
		return nil, err
	}
	file, err := contexts.Load(path)
	if err != nil {
		return nil, err
	}
	c, err := file.Get(s.context)
	if err != nil {
		return nil, &client.Problem{Status: 401, Title: err.Error()}
	}
	return client.New(c.URL, c.Token)
}
