package sites

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/allowance"
	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Location is where a site is: as people call it, and on the map of the world.
// Empty fields are not known.
type Location struct {
	Name      string   `json:"name,omitempty" maxLength:"100" doc:"as people call it"`
	Latitude  *float64 `json:"latitude,omitempty" minimum:"-90" maximum:"90" example:"48.8566" doc:"degrees, north is positive"`
	Longitude *float64 `json:"longitude,omitempty" minimum:"-180" maximum:"180" example:"2.3522" doc:"degrees, east is positive"`
}

const maxLocation = 100 // bytes of a name

func (l *Location) complete() error {
	l.Name = strings.TrimSpace(l.Name)
	switch {
	case len(l.Name) > maxLocation || !plain(l.Name):
		return huma.Error422UnprocessableEntity("a location has at most 100 bytes without control characters")
	case (l.Latitude == nil) != (l.Longitude == nil):
		return huma.Error422UnprocessableEntity("a latitude goes with a longitude")
	case l.Latitude != nil && !(math.Abs(*l.Latitude) <= 90 && math.Abs(*l.Longitude) <= 180): // NaN is neither
		return huma.Error422UnprocessableEntity("a latitude is -90 to 90 degrees, a longitude -180 to 180")
	}
	return nil
}

// Coordinates are latitude and longitude as the form has them.
func (l Location) Coordinates() string {
	if l.Latitude == nil {
		return ""
	}
	return strconv.FormatFloat(*l.Latitude, 'f', -1, 64) + ", " + strconv.FormatFloat(*l.Longitude, 'f', -1, 64)
}

// readCoordinates reads what maps on the web give for a place: "48.8566, 2.3522".
func readCoordinates(text string) (latitude, longitude *float64, err error) {
	if text = strings.TrimSpace(text); text == "" {
		return nil, nil, nil
	}
	north, east, _ := strings.Cut(text, ",")
	y, err := strconv.ParseFloat(strings.TrimSpace(north), 64)
	x, eastErr := strconv.ParseFloat(strings.TrimSpace(east), 64)
	if err != nil || eastErr != nil {
		return nil, nil, huma.Error422UnprocessableEntity("coordinates are latitude, longitude in degrees, such as 48.8566, 2.3522")
	}
	return &y, &x, nil
}

// Locate says where a site is; the zero location takes it off the map.
func (s *Service) Locate(ctx context.Context, actor web.Actor, ref string, l Location) (site Site, err error) {
	if err := l.complete(); err != nil {
		return Site{}, err
	}
	err = s.DB.In(ctx, actor.Tenant, func(tx pgx.Tx) error {
		if site, err = find(ctx, tx, ref); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE assim.sites SET location = $2, latitude = $3, longitude = $4 WHERE id = $1`, site.ID, l.Name, l.Latitude, l.Longitude)
		if err != nil {
			return fmt.Errorf("storing where a site is: %w", err)
		}
		before := site.Location
		site.Location = l
		err = audit.Write(ctx, tx, actor.Tenant, audit.Entry{Actor: actor.Name(), Action: "site.locate", Object: site.ID.String(), Before: before.words(), After: l.words()})
		if err != nil {
			return err
		}
		return allowance.Notify(ctx, tx, actor.Tenant)
	})
	return site, err
}

func (l Location) words() map[string]string {
	return map[string]string{"location": l.Name, "coordinates": l.Coordinates()}
}

// locate is the form of a site's page.
func (s *Service) locate(ctx context.Context, a web.Actor, ref, name, coordinates string) error {
	l := Location{Name: web.Text(name)}
	var err error
	if l.Latitude, l.Longitude, err = readCoordinates(coordinates); err != nil {
		return err
	}
	_, err = s.Locate(ctx, a, ref, l)
	return err
}

func (s *Service) registerLocation(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "locate-site", Method: "PUT", Path: "/v1/sites/{site}/location", Metadata: web.Needs(tenancy.ManageSite), Tags: []string{"sites"},
		Summary: "Say where a site is, for the map; an empty body takes it off",
	}, func(ctx context.Context, in *struct {
		InSite
		Body Location
	}) (*one[Site], error) {
		site, err := s.Locate(ctx, web.ActorFrom(ctx), in.Site, in.Body)
		if err != nil {
			return nil, err
		}
		return &one[Site]{site}, nil
	})
}
