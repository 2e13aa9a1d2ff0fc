package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"assimilation/cmd/assim/internal/client"
	contexts "assimilation/cmd/assim/internal/context"
	"assimilation/cmd/assim/internal/output"
)

// credentials are the flags by which a person says who they are.
type credentials struct {
	url, email, passwordFile, tenant, code string
}

func (c *credentials) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.url, "url", os.Getenv("ASSIM_URL"), "address of the service (ASSIM_URL)")
	f.StringVar(&c.email, "email", "", "your e-mail address")
	f.StringVar(&c.passwordFile, "password-file", "", "read the password from this file instead of asking")
	f.StringVar(&c.tenant, "tenant", "", "name of the tenant")
	cmd.MarkFlagRequired("email")
}

// account is what signing up and logging in answer; with Pending, something is
// left to be done.
type account struct {
	Pending string `json:"pending"`
	Token   string `json:"token"`
	Email   string `json:"email"`
	Tenant  struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"tenant"`
}

func (s *session) signup() *cobra.Command {
	var c credentials
	cmd := &cobra.Command{
		Use: "signup", Short: "Make an account and a tenant, and log in", Args: arguments(0, 0),
		Example: `  assim signup --url https://assimilation.example --email you@example.org --tenant "Example Ltd"
  assim signup --url http://127.0.0.1:8080 --email you@example.org --tenant Example --password-file ./password`,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.enter(cmd, "/v1/signup", c) },
	}
	c.flags(cmd)
	cmd.MarkFlagRequired("tenant")
	return cmd
}

func (s *session) login() *cobra.Command {
	var c credentials
	cmd := &cobra.Command{
		Use: "login", Short: "Log in and keep an API token for this machine", Args: arguments(0, 0),
		Example: `  assim login --url https://assimilation.example --email you@example.org
  assim login --url https://assimilation.example --email you@example.org --code 123456`,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.enter(cmd, "/v1/login", c) },
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&c.code, "code", "", "of your authenticator app, or a recovery code; asked for when it is needed")
	return cmd
}

func (s *session) enter(cmd *cobra.Command, path string, c credentials) error {
	if c.url == "" {
		return usageError{errors.New("say which service: --url https://... or ASSIM_URL")}
	}
	service, err := client.New(c.url, "")
	if err != nil {
		return usageError{err}
	}
	password, err := s.password(c.passwordFile)
	if err != nil {
		return err
	}
	in := map[string]string{"email": c.email, "password": password}
	if c.tenant != "" {
		in["tenant"] = c.tenant
	}
	if c.code != "" {
		in["code"] = c.code
	}
	var got account
	err = service.Do(cmd.Context(), http.MethodPost, path, nil, in, &got)
	if problem := (*client.Problem)(nil); errors.As(err, &problem) && problem.Code == "second_factor_needed" && s.atTerminal() {
		if in["code"], err = s.secret("Code of your authenticator app: "); err != nil {
			return err
		}
		err = service.Do(cmd.Context(), http.MethodPost, path, nil, in, &got)
	}
	if err != nil {
		return err
	}
	if got.Pending != "" {
		fmt.Fprintln(s.out, output.Printable(got.Pending))
		return nil
	}
	file, name, err := s.contextFile(got.Tenant.Name)
	if err != nil {
		return err
	}
	if err := file.Put(name, contexts.Context{URL: c.url, Token: got.Token, Email: c.email, Tenant: got.Tenant.Name}); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "logged in as %s to %s; context %q is current\n", c.email, got.Tenant.Name, name)
	return nil
}

// contextFile loads the configuration and chooses the context's name: the one
// that --context gives, else the tenant's.
func (s *session) contextFile(tenant string) (*contexts.File, string, error) {
	path, err := contexts.Path()
	if err != nil {
		return nil, "", err
	}
	file, err := contexts.Load(path)
	if err != nil {
		return nil, "", err
	}
	if s.context != "" {
		return file, s.context, nil
	}
	return file, tenant, nil
}

// password reads the password from a file, from the terminal without echo, or
// from the first line of standard input.
func (s *session) password(file string) (string, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		return strings.TrimRight(string(b), "\r\n"), nil
	}
	if s.atTerminal() {
		return s.secret("Password: ")
	}
	line, err := bufio.NewReader(io.LimitReader(s.in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// atTerminal reports whether somebody can be asked.
func (s *session) atTerminal() bool {
	f, ok := s.in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// secret asks at the terminal, without echo.
func (s *session) secret(question string) (string, error) {
	fmt.Fprint(s.err, question)
	b, err := term.ReadPassword(int(s.in.(*os.File).Fd()))
	fmt.Fprintln(s.err)
	if err != nil {
		return "", fmt.Errorf("reading what was typed: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

func (s *session) logout() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "Revoke this machine's API token and forget the context", Args: arguments(0, 0),
		Example: `  assim logout`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			service, err := s.service()
			if err != nil {
				return err
			}
			if err := service.Do(cmd.Context(), http.MethodPost, "/v1/logout", nil, nil, nil); err != nil {
				return err
			}
			file, name, err := s.contextFile("")
			if err != nil {
				return err
			}
			if name == "" {
				name = file.Current
			}
			return file.Remove(name)
		},
	}
}

func (s *session) whoami() *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "Show who you are at the service", Args: arguments(0, 0),
		Example: `  assim whoami
  assim whoami -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.one(cmd, "/v1/whoami", []string{"email", "tenant.name", "tenant.id", "role"})
		},
	}
}

func (s *session) contexts() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List the contexts of this machine", Args: arguments(0, 0),
		Example: `  assim context list`,
		RunE: func(*cobra.Command, []string) error {
			file, _, err := s.contextFile("")
			if err != nil {
				return err
			}
			var rows []json.RawMessage
			for _, name := range slices.Sorted(maps.Keys(file.Contexts)) {
				c := file.Contexts[name]
				row, err := json.Marshal(map[string]any{"name": name, "current": name == file.Current, "url": c.URL, "email": c.Email, "tenant": c.Tenant})
				if err != nil {
					return fmt.Errorf("encoding a context: %w", err)
				}
				rows = append(rows, row)
			}
			return output.List(s.out, s.format, []string{"name", "current", "url", "email", "tenant"}, rows)
		},
	}
	use := &cobra.Command{
		Use: "use NAME", Short: "Make a context the current one", Args: arguments(1, 1),
		Example: `  assim context use production`,
		RunE: func(_ *cobra.Command, args []string) error {
			file, _, err := s.contextFile("")
			if err != nil {
				return err
			}
			return file.Use(args[0])
		},
	}
	return group("context", "Services and accounts that this machine knows", list, use)
}
