// Package context keeps which service and account the command line speaks to:
// a small YAML file with named contexts, as kubectl has them.
package context

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"
)

// File is the content of the configuration file.
type File struct {
	Current  string             `yaml:"current"`
	Contexts map[string]Context `yaml:"contexts"`

	path string
}

// Context is one service and account.
type Context struct {
	URL    string `yaml:"url"`
	Token  string `yaml:"token"` // asm_api_..., the reason why the file is 0600
	Email  string `yaml:"email,omitempty"`
	Tenant string `yaml:"tenant,omitempty"`
}

// developmentFile is where `make up` leaves its context.
const developmentFile = ".dev/assim.yaml"

// Path finds the configuration file: ASSIM_CONFIG, else .dev/assim.yaml in the
// current folder or one above it if it is the user's own, else assim/config.yaml in the user's
// configuration folder.
func Path() (string, error) {
	if p := os.Getenv("ASSIM_CONFIG"); p != "" {
		return p, nil
	}
	if dir, err := os.Getwd(); err == nil {
		for {
			p := filepath.Join(dir, developmentFile)
			if info, err := os.Stat(p); err == nil && owned(info) {
				return p, nil
			}
			parent := filepath.Dir(dir)
			if parent == dir {
				break
			}
			dir = parent
		}
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("finding the configuration folder: %w; set ASSIM_CONFIG", err)
	}
	return filepath.Join(dir, "assim", "config.yaml"), nil
}

// Load reads the file at path; one that does not exist is empty.
func Load(path string) (*File, error) {
	f := &File{path: path, Contexts: map[string]Context{}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if err := yaml.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("reading the configuration %s: %w", path, err)
	}
	if f.Contexts == nil {
		f.Contexts = map[string]Context{}
	}
	return f, nil
}

// Get returns the named context, or the current one for "".
func (f *File) Get(name string) (Context, error) {
	if name == "" {
		name = f.Current
	}
	c, ok := f.Contexts[name]
	switch {
	case ok:
		return c, nil
	case name == "":
		return c, errors.New("not logged in: run `assim login --url URL` or `assim signup --url URL`")
	}
	return c, fmt.Errorf("no context %q in %s (there are: %v)", name, f.path, slices.Sorted(maps.Keys(f.Contexts)))
}

// Put stores a context under name, makes it current and writes the file, which
// only its owner may read.
func (f *File) Put(name string, c Context) error {
	f.Contexts[name] = c
	f.Current = name
	return f.save()
}

// Remove forgets a context.
func (f *File) Remove(name string) error {
	delete(f.Contexts, name)
	if f.Current == name {
		f.Current = ""
	}
	return f.save()
}

// Use makes a context current.
func (f *File) Use(name string) error {
	if _, err := f.Get(name); err != nil {
		return err
	}
	f.Current = name
	return f.save()
}

func (f *File) save() error {
	b, err := yaml.Marshal(f)
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	// A name that nobody can foresee: in a folder that others may write to, a
	// file that waits there would become the token's, with its owner and mode.
	temporary, err := os.CreateTemp(filepath.Dir(f.path), ".assim-*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	defer os.Remove(temporary.Name()) // of no effect once renamed
	_, err = temporary.Write(b)
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}
