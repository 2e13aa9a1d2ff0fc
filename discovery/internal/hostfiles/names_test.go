package hostfiles

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"
	"testing/fstest"
)

func TestNames(t *testing.T) {
	dir := t.TempDir()
	files := fstest.MapFS{}
	for i := range 1000 {
		name := fmt.Sprint(i)
		files[name] = &fstest.MapFile{}
		if err := os.WriteFile(dir+"/"+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, root := range map[string]fs.FS{"memory": files, "disk": os.DirFS(dir)} {
		for _, test := range []struct {
			most, want int
			more       bool
		}{{2000, 1000, false}, {1000, 1000, false}, {999, 999, true}, {1, 1, true}} {
			names, more, err := Names(root, ".", test.most)
			if len(names) != test.want || more != test.more || err != nil || !slices.IsSorted(names) {
				t.Errorf("%s: of at most %d %d names, more %v, %v", name, test.most, len(names), more, err)
			}
		}
		if _, _, err := Names(root, "none", 1); err == nil {
			t.Errorf("%s: a directory that is not there", name)
		}
		if _, _, err := Names(root, "7", 1); err == nil {
			t.Errorf("%s: a file is a directory", name)
		}
	}
}
