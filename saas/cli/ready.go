package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"assimilation/saas"
)

// readyTimeout is less than what whoever asks for a program's health gives it.
const readyTimeout = 4 * time.Second

func readyCommand(config *saas.Config) *cobra.Command {
	c := &cobra.Command{
		Use: "ready", Short: "Ask the service on this machine whether it is ready, for health checks", Args: cobra.NoArgs,
		Example: `  assim-saas ready --listen 127.0.0.1:8080 && echo ready`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ready(cmd.Context(), config.Listen)
		},
	}
	c.Flags().StringVar(&config.Listen, "listen", config.Listen, "address that the service serves on (ASSIM_LISTEN)")
	return c
}

func ready(ctx context.Context, listen string) (err error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("listen address %q is not host:port", listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("asking the service: %w", err)
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the service is not ready: %s", answer.Status)
	}
	return nil
}
