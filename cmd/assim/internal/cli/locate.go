package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"assimilation/cmd/assim/internal/output"
)

func (s *session) siteLocate() *cobra.Command {
	var name string
	var nowhere bool
	cmd := &cobra.Command{
		Use: "locate SITE [LATITUDE,LONGITUDE]", Short: "Say where a site is, for the overview's map", Args: arguments(1, 2),
		Example: `  assim site locate paris 48.8566,2.3522 --name "Paris, rue de la Paix"
  assim site locate paris --nowhere     # take it off the map`,
		RunE: func(cmd *cobra.Command, args []string) error {
			location := map[string]any{}
			switch {
			case nowhere == (len(args) == 2 || name != ""):
				return usageError{fmt.Errorf("say where, or --nowhere")}
			case len(args) == 2:
				north, east, _ := strings.Cut(args[1], ",")
				y, err := strconv.ParseFloat(strings.TrimSpace(north), 64)
				x, eastErr := strconv.ParseFloat(strings.TrimSpace(east), 64)
				if err != nil || eastErr != nil {
					return usageError{fmt.Errorf("%q is not LATITUDE,LONGITUDE in degrees, such as 48.8566,2.3522", args[1])}
				}
				location["latitude"], location["longitude"] = y, x
			}
			if name != "" {
				location["name"] = name
			}
			service, err := s.service()
			if err != nil {
				return err
			}
			var site json.RawMessage
			if err := service.Do(cmd.Context(), http.MethodPut, "/v1/sites/"+url.PathEscape(args[0])+"/location", nil, location, &site); err != nil {
				return err
			}
			return output.One(s.out, s.format, []string{"name", "id", "location"}, site)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the place, as people call it")
	cmd.Flags().BoolVar(&nowhere, "nowhere", false, "forget where it is")
	return cmd
}
