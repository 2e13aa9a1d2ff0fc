package project_test

import (
	"testing"

	"assimilation/discovery/containers/project"
	"assimilation/discovery/internal/elementstest"
)

func TestGolden(t *testing.T) { elementstest.Golden(t, project.Projector{}) }
