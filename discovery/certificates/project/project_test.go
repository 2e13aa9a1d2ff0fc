package project_test

import (
	"testing"

	"assimilation/discovery/certificates/project"
	"assimilation/discovery/internal/elementstest"
)

func TestGolden(t *testing.T) { elementstest.Golden(t, project.Projector{}) }
