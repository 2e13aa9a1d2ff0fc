package project_test

import (
	"fmt"
	"strings"
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/internal/elementstest"
	"assimilation/discovery/scripts/project"
)

func TestGolden(t *testing.T) { elementstest.Golden(t, project.Projector{Of: "x-backup"}) }

func TestPropertiesAreBounded(t *testing.T) {
	body := map[string]any{"long": strings.Repeat("x", 10_000), strings.Repeat("n", 64): "name too long"}
	for i := range 1000 {
		body[fmt.Sprintf("p%03d", i)] = i
	}
	encoded, err := discovery.Canonical(body)
	if err != nil {
		t.Fatal(err)
	}
	e, err := project.Projector{Of: "x-much"}.Project(elementstest.Host, discovery.Fact{Kind: "x-much", Version: 1, Body: encoded})
	if err != nil {
		t.Fatal(err)
	}
	props := e.Vertices[0].Props
	if long, _ := props["long"].(string); len(props) != 33 || len(long) != 256 || props["p000"] != int64(0) {
		t.Errorf("%d properties, %d bytes of text", len(props), len(long))
	}
	elementstest.Check(t, project.Projector{Of: "x-much"}, e)
}
