package cli

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestEveryCommandHasAnExample: help shows how a command is used.
func TestEveryCommandHasAnExample(t *testing.T) {
	runnable := 0
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if c.HasSubCommands() && c.Name() != "query" {
			return // only holds others
		}
		runnable++
		if !strings.Contains(c.Example, c.CommandPath()) || c.Short == "" {
			t.Errorf("%s has no example of itself, or is not described", c.CommandPath())
		}
	}
	walk((&session{in: strings.NewReader(""), out: io.Discard, err: io.Discard}).root())
	if runnable < 20 {
		t.Errorf("only %d commands were seen", runnable)
	}
}
