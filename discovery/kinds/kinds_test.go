package kinds_test

import (
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/collectors"
	"assimilation/discovery/kinds"
)

func TestEveryCollectedKindIsListed(t *testing.T) {
	for _, c := range collectors.All(collectors.Options{}) {
		if _, ok := kinds.ByName(c.Kind().Name); !ok {
			t.Errorf("kind %s is not listed", c.Kind().Name)
		}
	}
}

func TestEveryKindIsDescribed(t *testing.T) {
	for _, k := range kinds.All() {
		if _, err := discovery.Describe(k); err != nil {
			t.Error(err)
		}
	}
	if _, ok := kinds.ByName("x-script"); ok {
		t.Error("a kind that is not listed was found")
	}
}
