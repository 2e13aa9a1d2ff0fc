package collect

import (
	"encoding/json"
	"testing"

	"assimilation/discovery"
	kind "assimilation/discovery/packages"
)

func decode(t *testing.T, f discovery.Fact) kind.Facts {
	t.Helper()
	var body kind.Facts
	if err := json.Unmarshal(f.Body, &body); err != nil {
		t.Fatal(err)
	}
	return body
}
