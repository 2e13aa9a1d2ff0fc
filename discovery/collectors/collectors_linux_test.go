package collectors

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestAll holds the list against the folders.
func TestAll(t *testing.T) {
	folders, err := filepath.Glob("../*/collect")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, f := range folders {
		want = append(want, filepath.Base(filepath.Dir(f)))
	}
	for _, c := range All(Options{}) {
		k := c.Kind()
		got = append(got, k.Name)
		for _, file := range []string{"README.md", "testdata", k.Name + ".go"} {
			if _, err := os.Stat(filepath.Join("..", k.Name, file)); err != nil {
				t.Error(err)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("listed are %v, folders are %v", got, want)
	}
}
