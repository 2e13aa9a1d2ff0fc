package cli

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"assimilation/api"
	"assimilation/cmd/assim/internal/client"
	"assimilation/cmd/assim/internal/output"
)

// ask calls a method of the API's client.
type ask = func(ctx context.Context, to *api.Client) (*http.Response, error)

// send makes a request that answers nothing, and says what was done.
func (s *session) send(cmd *cobra.Command, done string, what ask) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	if err := client.Of(what(cmd.Context(), service.API)).Into(nil); err != nil {
		return err
	}
	fmt.Fprintln(s.out, output.Printable(done))
	return nil
}

// request makes a request and prints the single thing that it answers.
func (s *session) request(cmd *cobra.Command, fields []string, what ask) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	answer, err := client.Of(what(cmd.Context(), service.API)).Raw()
	if err != nil {
		return err
	}
	return output.One(s.out, s.format, fields, answer)
}

// given is a value that was said; nil when it was not.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// idOf reads an id that a flag gives.
func idOf(flag, text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return id, usageError{fmt.Errorf("--%s: %q is not an id", flag, text)}
	}
	return id, nil
}
