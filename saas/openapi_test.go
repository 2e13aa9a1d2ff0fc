package saas

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestTheDescriptionIsValid has the description checked by a validator that did not
// write it: its structure, its references, and every example against its schema.
func TestTheDescriptionIsValid(t *testing.T) {
	description, err := Describe()
	if err != nil {
		t.Fatal(err)
	}
	document, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if n := document.Paths.Len(); n < 60 {
		t.Errorf("only %d paths", n)
	}
	// The validator looks.
	for what, spoil := range map[string]func(){
		"a parameter without a schema": func() { document.Paths.Value("/v1/hosts").Get.Parameters[0].Value.Schema = nil },
	} {
		if spoil(); document.Validate(t.Context()) == nil {
			t.Errorf("%s is not noticed", what)
		}
	}
}
