package project_test

import (
	"testing"

	"assimilation/discovery/internal/elementstest"
	"assimilation/discovery/processes/project"
)

func TestGolden(t *testing.T) { elementstest.Golden(t, project.Projector{}) }
