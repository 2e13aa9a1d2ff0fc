package cli

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assimilation/cmd/assim/internal/output"
)

// Completion asks the service, and gives up before a person does.
const (
	patience    = 2 * time.Second
	suggestions = 200
)

// completer suggests values that begin with what was typed.
type completer = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)

// first completes the first argument only.
func first(complete completer) completer {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, typed)
	}
}

// named completes the names of a list of the API; nothing, where it cannot ask.
func (s *session) named(path string, query func(typed string) url.Values) completer {
	return func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, item := range s.ask(cmd, path, query(typed)) {
			var named struct{ Name, Description string }
			if json.Unmarshal(item, &named) != nil || !strings.HasPrefix(strings.ToLower(named.Name), strings.ToLower(typed)) {
				continue
			}
			names = append(names, strings.TrimSuffix(output.Printable(named.Name)+"\t"+output.Printable(named.Description), "\t"))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

func (s *session) ask(cmd *cobra.Command, path string, query url.Values) []json.RawMessage {
	service, err := s.service()
	if err != nil {
		return nil
	}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	page, err := service.List(ctx, path, query, suggestions)
	if err != nil {
		return nil
	}
	return page.Items
}

func (s *session) hostNames() completer {
	return s.named("/v1/hosts", func(typed string) url.Values { return filled("name", typed) })
}

func (s *session) siteNames() completer {
	return s.named("/v1/sites", func(string) url.Values { return nil })
}

// queryWords completes a query's name, then its parameters.
func (s *session) queryWords() completer {
	names := s.named("/v1/queries", func(string) url.Values { return nil })
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return names(cmd, args, typed)
		}
		if host, ok := strings.CutPrefix(typed, "host="); ok {
			found, directive := s.hostNames()(cmd, nil, host)
			for i := range found {
				found[i] = "host=" + found[i]
			}
			return found, directive
		}
		var words []string
		for _, item := range s.ask(cmd, "/v1/queries", nil) {
			var q struct {
				Name       string
				Parameters []struct{ Name, Doc string }
			}
			if json.Unmarshal(item, &q) != nil || q.Name != args[0] {
				continue
			}
			for _, p := range q.Parameters {
				if word := p.Name + "="; strings.HasPrefix(word, typed) {
					words = append(words, output.Printable(word)+"\t"+output.Printable(p.Doc))
				}
			}
		}
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

func (s *session) contextNames() completer {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		file, _, err := s.contextFile("")
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, name := range slices.Sorted(maps.Keys(file.Contexts)) {
			if strings.HasPrefix(name, typed) {
				names = append(names, name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// complete adds completion to all commands: by the name of a flag, and by what
// a command's arguments are called in its usage.
func (s *session) complete(cmd *cobra.Command) {
	for name, complete := range map[string]completer{
		"host": s.hostNames(), "near": s.hostNames(), "site": s.siteNames(), "state": cobra.FixedCompletions([]string{"up", "down", "unreachable", "agent down", "unresponsive", "silent", "shut down", "unknown", "retired"}, cobra.ShellCompDirectiveNoFileComp),
	} {
		if cmd.LocalNonPersistentFlags().Lookup(name) != nil {
			cmd.RegisterFlagCompletionFunc(name, complete)
		}
	}
	argument, _, _ := strings.Cut(strings.TrimPrefix(cmd.Use, cmd.Name()+" "), " ")
	switch {
	case cmd.Name() == "query":
		cmd.ValidArgsFunction = s.queryWords()
	case argument == "HOST":
		cmd.ValidArgsFunction = first(s.hostNames())
	case argument == "SITE":
		cmd.ValidArgsFunction = first(s.siteNames())
	case cmd.CommandPath() == "assim context use":
		cmd.ValidArgsFunction = first(s.contextNames())
	case cmd.Runnable() && cmd.ValidArgsFunction == nil:
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range cmd.Commands() {
		s.complete(sub)
	}
}
