package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"assimilation/api"
	"assimilation/cmd/assim/internal/client"
	"assimilation/cmd/assim/internal/output"
)

var exporterColumns = []string{"name", "protocol", "endpoint", "signals", "waiting", "tries", "sent", "sent_at", "problem", "id"}

func (s *session) export() *cobra.Command {
	return group("export", "What is sent to systems of your own", group("otlp", "Send events, changes and metrics to OpenTelemetry collectors",
		s.exporters(), s.createExporter(), s.setExporter(), s.showExporter(), s.testExporter(), s.undelivered(), s.removeExporter()))
}

func (s *session) exporters() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List exporters, what waits for each, and how it does", Args: arguments(0, 0),
		Example: `  assim export otlp list
  assim export otlp list -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.list(cmd, "/v1/exporters", nil, 0, exporterColumns)
		},
	}
}

// exporterFlags are the settings of an exporter as flags say them.
type exporterFlags struct {
	name, protocol, endpoint, compression string
	signals, headerFiles                  []string
	noHeaders                             bool
	ca, certificate, key                  string // files
}

func (f *exporterFlags) add(cmd *cobra.Command) *cobra.Command {
	flags := cmd.Flags()
	flags.StringVar(&f.protocol, "protocol", "grpc", "grpc or http")
	flags.StringVar(&f.endpoint, "endpoint", "", "https://host:port of the collector; of http without /v1/logs")
	flags.StringVar(&f.compression, "compression", "gzip", "gzip or none")
	flags.StringSliceVar(&f.signals, "signals", nil, "of events, changes, metrics (default all)")
	// Not on the command line, where other people of this machine would see them.
	flags.StringArrayVar(&f.headerFiles, "headers-file", nil, "file with a \"name: value\" in each line; never shown again")
	flags.StringVar(&f.ca, "ca-file", "", "authorities that may sign the collector's certificate (PEM)")
	flags.StringVar(&f.certificate, "certificate-file", "", "certificate that the service shows (PEM)")
	flags.StringVar(&f.key, "key-file", "", "its key (PEM)")
	cmd.MarkFlagRequired("endpoint")
	return cmd
}

// body is the request's.
func (f *exporterFlags) body() (body api.Settings, err error) {
	body = api.Settings{Name: f.name, Protocol: api.SettingsProtocol(f.protocol), Endpoint: f.endpoint, Compression: new(api.SettingsCompression(f.compression))}
	if len(f.signals) > 0 {
		body.Signals = new([]api.SettingsSignals)
		for _, signal := range f.signals {
			*body.Signals = append(*body.Signals, api.SettingsSignals(signal))
		}
	}
	headers := map[string]string{}
	for _, file := range f.headerFiles {
		text, err := os.ReadFile(file)
		if err != nil {
			return body, fmt.Errorf("reading headers: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			name, value, ok := strings.Cut(line, ":")
			if !ok {
				return body, fmt.Errorf("reading headers: a line of %s is not name: value", file)
			}
			headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	if len(headers) > 0 || f.noHeaders {
		body.Headers = &headers
	}
	for _, pem := range []struct {
		field, file string
		to          **string
	}{{"ca", f.ca, &body.Ca}, {"certificate", f.certificate, &body.Certificate}, {"key", f.key, &body.Key}} {
		if pem.file == "" {
			continue
		}
		text, err := os.ReadFile(pem.file)
		if err != nil {
			return body, fmt.Errorf("reading %s: %w", pem.field, err)
		}
		*pem.to = new(string(text))
	}
	return body, nil
}

func (s *session) createExporter() *cobra.Command {
	var f exporterFlags
	return f.add(&cobra.Command{
		Use: "create NAME", Short: "Send what happens from now on to a collector", Args: arguments(1, 1),
		Example: `  assim export otlp create collector --endpoint https://otlp.example.org:4317
  assim export otlp create vendor --protocol http --endpoint https://otlp.example.org/otlp --headers-file headers.txt --signals events,metrics`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.name = args[0]
			body, err := f.body()
			if err != nil {
				return err
			}
			return s.request(cmd, exporterColumns, func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.CreateExporter(ctx, body)
			})
		},
	})
}

func (s *session) setExporter() *cobra.Command {
	var f exporterFlags
	cmd := f.add(&cobra.Command{
		Use: "set ID NAME", Short: "Say all settings of an exporter anew; headers and key stay where the endpoint does", Args: arguments(2, 2),
		Example: `  assim export otlp set 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52 collector --endpoint https://otlp.example.org:4317 --signals events`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.name = args[1]
			body, err := f.body()
			if err != nil {
				return err
			}
			return s.send(cmd, "the exporter is changed", func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.SetExporter(ctx, args[0], body)
			})
		},
	})
	cmd.Flags().BoolVar(&f.noHeaders, "no-headers", false, "drop the headers that are there")
	return cmd
}

func (s *session) showExporter() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show an exporter, without its secrets", Args: arguments(1, 1),
		Example: `  assim export otlp show 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.request(cmd, exporterColumns, func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.GetExporter(ctx, args[0])
			})
		},
	}
}

func (s *session) testExporter() *cobra.Command {
	return &cobra.Command{
		Use: "test ID", Short: "Send one record now, and hear what the collector says", Args: arguments(1, 1),
		Example: `  assim export otlp test 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52`,
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := s.service()
			if err != nil {
				return err
			}
			var outcome struct {
				Taken   bool
				Problem string
			}
			if err := client.Of(service.API.TestExporter(cmd.Context(), args[0])).Into(&outcome); err != nil {
				return err
			}
			if !outcome.Taken {
				return errors.New("the collector did not take it: " + output.Printable(outcome.Problem))
			}
			fmt.Fprintln(s.out, "the collector took it")
			return nil
		},
	}
}

func (s *session) undelivered() *cobra.Command {
	return &cobra.Command{
		Use: "undelivered ID", Short: "List what the collector refused for good, and what waited too long", Args: arguments(1, 1),
		Example: `  assim export otlp undelivered 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.list(cmd, exporterPath(args[0])+"/undelivered", nil, 0, []string{"at", "signal", "records", "first_at", "last_at", "reason", "sample"})
		},
	}
}

func (s *session) removeExporter() *cobra.Command {
	return &cobra.Command{
		Use: "remove ID", Short: "Send nothing there any more; what waits is not sent", Args: arguments(1, 1),
		Example: `  assim export otlp remove 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.send(cmd, "the exporter is removed", func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.RemoveExporter(ctx, args[0])
			})
		},
	}
}

func exporterPath(id string) string { return "/v1/exporters/" + url.PathEscape(id) }
