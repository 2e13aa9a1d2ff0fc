package kinds_test

import (
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/kinds"
)

// A kind without words would be told by its paths.
func TestWordsNameWhatThereIs(t *testing.T) {
	for _, k := range kinds.Worded() {
		if err := discovery.CheckWords(k); err != nil {
			t.Error(err)
		}
	}
}
