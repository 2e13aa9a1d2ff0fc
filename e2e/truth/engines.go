package truth

import (
	"errors"
	"os/exec"
	"strings"

	"assimilation/discovery/containers"
)

// engines answer on the command line alike.
var engines = []string{"docker", "podman"}

func readContainers(r Reading) error {
	asked := false
	for _, engine := range engines {
		ids, err := output(engine, "ps", "--all", "--quiet", "--no-trunc")
		var exit *exec.ExitError
		switch {
		case errors.Is(err, exec.ErrNotFound), errors.As(err, &exit):
			continue // not there, or its daemon does not run
		case err != nil:
			return err
		}
		asked = true
		for id := range strings.Lines(ids) {
			if err := readContainer(r, engine, strings.TrimSpace(id)); err != nil {
				return err
			}
		}
	}
	if !asked {
		r.Unasked[Containers] = strings.Join(engines, " and ") + " do not answer"
	}
	return nil
}

func readContainer(r Reading, engine, id string) error {
	var all []struct {
		ID        string `json:"Id"`
		Name      string
		Image     string // its id
		ImageName string // of podman
		State     struct{ Running, Paused bool }
		Config    struct {
			Image  string
			Labels map[string]string
		}
	}
	if err := outputJSON(&all, engine, "inspect", id); err != nil {
		return err
	}
	for _, c := range all {
		state := "stopped"
		switch {
		case c.State.Paused:
			state = "paused"
		case c.State.Running:
			state = "running"
		}
		image := c.Config.Image
		if c.ImageName != "" {
			image = c.ImageName
		}
		r.Must.add(Containers, containerRecord(c.ID, engine, strings.TrimPrefix(c.Name, "/"), state, image, c.Image))
		for name, value := range c.Config.Labels {
			r.Must.add(Containers, c.ID+" label "+name+"="+value)
		}
	}
	return nil
}

func containerRecord(id, engine, name, state, image, imageID string) string {
	return strings.Join([]string{id, engine, name, state, image, strings.TrimPrefix(imageID, "sha256:")}, " ")
}

func serviceContainers(assim, host string, r Records) error {
	facts, err := bodies[containers.Facts](assim, host, containers.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, c := range f.Containers {
			r.add(Containers, containerRecord(c.ID, c.Engine, c.Name, c.State, c.Image, c.ImageID))
			for _, l := range c.Labels {
				r.add(Containers, c.ID+" label "+l.Name+"="+l.Value)
			}
		}
	}
	return nil
}
