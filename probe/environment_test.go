package probe

import (
	"os"
	"path/filepath"
	"testing"
)

func TestStopCause(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nologin")
	if cause := stopCause(file); cause != "signal" {
		t.Errorf("without the file: %q", cause)
	}
	for text, want := range map[string]string{
		"System is booting up. Unprivileged users are not permitted to log in yet.\n":                                              "signal",
		"System is going down. Unprivileged users are not permitted to log in anymore. For technical details, see pam_nologin(8).": "host shutdown",
		"": "signal",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if cause := stopCause(file); cause != want {
			t.Errorf("%q: %q", text, cause)
		}
	}
}
