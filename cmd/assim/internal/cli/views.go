package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"assimilation/cmd/assim/internal/output"
)

func (s *session) view() *cobra.Command {
	columns := []string{"id", "name", "page", "query", "shared", "created_by"}
	list := &cobra.Command{
		Use: "list", Short: "List the views that you see: shared ones, and your own", Args: arguments(0, 0),
		Example: `  assim view list`,
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.list(cmd, "/v1/views", nil, 0, columns) },
	}
	var shared bool
	create := &cobra.Command{
		Use: "create NAME PAGE QUERY", Short: "Keep the choices of a page under a name", Args: arguments(3, 3),
		Example: `  assim view create "down in paris" /hosts "state=down&site=paris"
  assim view create "packages of the week" /changes "kind=packages&window=168h" --shared`,
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := s.service()
			if err != nil {
				return err
			}
			var made json.RawMessage
			in := map[string]string{"name": args[0], "page": args[1], "query": args[2]}
			if err := service.Do(cmd.Context(), http.MethodPost, viewsPath(shared), nil, in, &made); err != nil {
				return err
			}
			return output.One(s.out, s.format, columns, made)
		},
	}
	create.Flags().BoolVar(&shared, "shared", false, "for everybody of the tenant")
	remove := &cobra.Command{
		Use: "delete ID", Short: "Remove a view", Args: arguments(1, 1),
		Example: `  assim view delete 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52
  assim view delete 6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52 --shared`,
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := s.service()
			if err != nil {
				return err
			}
			if err := service.Do(cmd.Context(), http.MethodDelete, viewsPath(shared)+"/"+url.PathEscape(args[0]), nil, nil, nil); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "view %s is removed\n", args[0])
			return nil
		},
	}
	remove.Flags().BoolVar(&shared, "shared", false, "one that everybody of the tenant sees")
	return group("view", "Pages of the console with choices, under a name", list, create, remove)
}

func viewsPath(shared bool) string {
	if shared {
		return "/v1/shared-views"
	}
	return "/v1/views"
}
