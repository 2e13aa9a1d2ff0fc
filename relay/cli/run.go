package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/spf13/cobra"

	"assimilation/internal/telemetry"
	"assimilation/relay"
)

func runCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "run", Short: "Serve probes until stopped", Args: noArguments,
		Long: "Serves probes until stopped. A relay that is not enrolled enrols itself first, for which it needs a relay token once.",
		Example: `  ASSIM_TOKEN_FILE=/etc/assim/relay.token assim-relay run
  assim-relay run --listen 10.0.0.5:1984 --state /srv/assim-relay`,
	}
	o.stateFlag(c)
	o.listenFlag(c)
	o.httpFlag(c)
	o.clusterFlags(c)
	o.installFlag(c)
	o.tokenFlags(c)
	o.notifyFlags(c)
	outbox := strconv.FormatInt(o.config.Outbox, 10)
	fromEnvironment(&outbox, "ASSIM_OUTBOX_BYTES")
	c.Flags().StringVar(&outbox, "outbox-bytes", outbox, "how much may wait for the service before steps between are left out")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if o.config.Outbox, err = strconv.ParseInt(outbox, 10, 64); err != nil {
			return &exit{exitUsage, fmt.Errorf("--outbox-bytes is a number of bytes, not %q", outbox)}
		}
		if o.config.Install == "off" {
			o.config.Install = ""
		}
		if err := o.advertised(); err != nil {
			return err
		}
		if o.config.Telemetry, err = telemetry.Start(c.Context(), "assim-relay", Version, slog.New(o.handler())); err != nil {
			return &exit{exitUsage, err}
		}
		defer func() { err = errors.Join(err, o.config.Telemetry.Close()) }()
		r, err := o.relay()
		if err != nil {
			return err
		}
		return r.Run(c.Context(), nil)
	}
	return c
}

func enrolCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "enrol", Short: "Enrol this relay with a relay token, and exit", Args: noArguments,
		Long: "Enrols this relay and exits. A relay that is enrolled stays as it is; one that was revoked is enrolled anew, and so is any with --again:\n" +
			"after the site's key was replaced while this relay was away. It keeps its hosts and their facts, and is another relay to the service: revoke the former there.",
		Example: `  assim-relay enrol --token-file /etc/assim/relay.token
  echo asm_rly_... | assim-relay enrol --token-file -
  systemctl stop assim-relay && ASSIM_TOKEN=asm_rly_... assim-relay enrol --again && systemctl start assim-relay`,
	}
	again := c.Flags().Bool("again", false, "enrol a relay anew that is enrolled")
	o.stateFlag(c)
	o.tokenFlags(c)
	o.outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		r, err := o.relay()
		if err != nil {
			return err
		}
		e, err := r.Enrol(c.Context(), *again)
		if err != nil {
			return err
		}
		if o.output == "json" {
			return o.printJSON(e)
		}
		_, err = fmt.Fprintf(o.Out, "relay %s of site %s (%s), service %s\n", e.Relay, e.SiteName, e.Site, e.Service)
		return err
	}
	return c
}

func (o *options) relay() (*relay.Relay, error) {
	o.config.Token = o.token
	o.config.Notify.Relay = o.config.Name
	r, err := relay.New(o.config, o.log())
	if err != nil {
		return nil, &exit{exitUsage, err}
	}
	return r, nil
}

func versionCommand(o *options) *cobra.Command {
	c := &cobra.Command{Use: "version", Short: "Print the version", Args: noArguments, Example: "  assim-relay version"}
	o.outputFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		if o.output == "json" {
			return o.printJSON(struct {
				Version string `json:"version"`
			}{Version})
		}
		_, err := fmt.Fprintln(o.Out, Version)
		return err
	}
	return c
}
