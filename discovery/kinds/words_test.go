package kinds_test

import (
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/kinds"
)

func TestWordsNameWhatThereIs(t *testing.T) {
	for _, k := range kinds.Worded() {
		if err := discovery.CheckWords(k); err != nil {
			t.Error(err)
		}
	}
}
