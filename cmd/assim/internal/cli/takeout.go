package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"assimilation/cmd/assim/internal/output"
	"assimilation/internal/exportfile"
)

// exportTenant fetches all that the tenant has, and checks such a file.
func (s *session) exportTenant() *cobra.Command {
	var file, verify string
	cmd := &cobra.Command{
		Use: "export", Short: "Write all that the tenant has, but secrets, to a file; or check such a file", Args: arguments(0, 0),
		Long: `Write all that the tenant has to a file: a tar of JSON lines, compressed with zstd,
of one moment. It is checked while it comes, and stands under its name only when it
is whole. docs/export.md describes it. Needs the role admin.`,
		Example: `  assim tenant export -o example.tar.zst
  assim tenant export --verify example.tar.zst`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (file == "") == (verify == "") {
				return usageError{errors.New("say -o FILE to write, or --verify FILE to check")}
			}
			if verify != "" {
				f, err := os.Open(verify)
				if err != nil {
					return err
				}
				defer f.Close()
				m, err := exportfile.Verify(f)
				if err != nil {
					return fmt.Errorf("%s: %w", verify, err)
				}
				return s.sayExport(m, verify)
			}
			service, err := s.service()
			if err != nil {
				return err
			}
			var m exportfile.Manifest
			err = whole(file, func(f io.Writer) error {
				return service.Download(cmd.Context(), "/v1/tenant/export", func(body io.Reader) (err error) {
					m, err = exportfile.Verify(io.TeeReader(body, f))
					return err
				})
			})
			if err != nil {
				return err
			}
			return s.sayExport(m, file)
		},
	}
	// Here -o is the file, as people expect it: there is nothing to print in a format.
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write")
	cmd.Flags().StringVar(&verify, "verify", "", "check this file instead: counts and digests")
	return cmd
}

// whole writes a file that stands under its name only when write was content.
func whole(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part*") // for the owner only
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the renaming there is nothing of this name
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (s *session) sayExport(m exportfile.Manifest, file string) error {
	var rows, bytes int64
	for _, t := range m.Tables {
		rows += t.Rows
	}
	for _, f := range m.Files {
		bytes += f.Bytes
	}
	_, err := fmt.Fprintf(s.out, "%s is whole: tenant %s (%s) of %s, %d rows of %d tables in %d files, %d bytes uncompressed\n", file,
		output.Printable(m.Name), output.Printable(m.Tenant), m.TakenAt.UTC().Format(time.RFC3339), rows, len(m.Tables), len(m.Files), bytes)
	return err
}
