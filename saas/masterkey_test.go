package saas

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
)

// Two machines serve while one of them changes the master key: each can log in to the
// database at any moment, and open what the other wrapped.
func TestAMasterKeyIsReplacedUnderTwoMachines(t *testing.T) {
	one := newService(t)
	ada := one.signUp("ada@example.org", "Example", "paris")
	config := one.config
	config.MasterKeyFile = filepath.Join(t.TempDir(), "master.key")
	bring := func() {
		t.Helper()
		text, err := os.ReadFile(one.config.MasterKeyFile)
		if err == nil {
			err = os.WriteFile(config.MasterKeyFile+".new", text, 0o600)
		}
		if err == nil {
			err = os.Rename(config.MasterKeyFile+".new", config.MasterKeyFile)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	bring()
	other, err := New(t.Context(), config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	bob := client{s: &service{SaaS: other, t: t}, token: ada.token}
	// Sites' keys are wrapped where a site is made, and opened for a token.
	serve := func(when string) {
		t.Helper()
		for name, c := range map[string]client{"one": ada.client, "other": bob} {
			if status, body := c.do("POST", "/v1/sites", `{"name":"`+when+" "+name+`"}`); status != 201 {
				t.Errorf("%s, the machine %s makes a site: %d %s", when, name, status, body)
			}
		}
		for name, config := range map[string]Config{"one": one.config, "other": config} {
			master, err := keys.Load(config.MasterKeyFile)
			if err != nil {
				t.Fatal(err)
			}
			db, err := store.Open(t.Context(), store.Config{AdminURL: config.DatabaseURL, Passwords: master.Derive, Others: master.DeriveOthers})
			if err != nil {
				t.Errorf("%s, the machine %s cannot log in anew: %v", when, name, err)
				continue
			}
			db.Close()
			if _, err := checkMaster(t.Context(), config, master); err != nil {
				t.Errorf("%s, the machine %s cannot open everything: %v", when, name, err)
			}
		}
	}
	run := func(what func(context.Context, Config, io.Writer) error) {
		t.Helper()
		if err := what(t.Context(), one.config, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	serve("before")
	run(PrepareMaster)
	serve("prepared here")
	bring()
	serve("prepared")
	run(RotateMaster)
	serve("used here")
	behind, err := keys.Load(config.MasterKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	notes, err := checkMaster(t.Context(), config, behind)
	if err != nil || !strings.Contains(strings.Join(notes, ""), "another machine uses the master key that is prepared") {
		t.Errorf("the other machine's check says %q, %v", notes, err)
	}
	if err := RetireMaster(t.Context(), one.config, io.Discard); err == nil || !strings.Contains(err.Error(), "still needed") {
		t.Errorf("retired while the other machine wraps by it: %v", err)
	}
	bring()
	serve("used")
	run(RotateMaster)
	run(RetireMaster)
	serve("retired here")
	bring()
	serve("retired")
}

// One that was killed between the file and the database: the service has the new file,
// and the database the old passwords.
func TestAServiceGoesOnWhereAMasterKeyBrokeOff(t *testing.T) {
	s := newService(t)
	_, put, err := keys.Next(s.config.MasterKeyFile)
	if err == nil {
		err = put()
	}
	if err != nil {
		t.Fatal(err)
	}
	master, err := keys.Load(s.config.MasterKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{AdminURL: s.config.DatabaseURL, Passwords: master.Derive, Others: master.DeriveOthers})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if err := RotateMaster(t.Context(), s.config, io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := RetireMaster(t.Context(), s.config, io.Discard); err != nil {
		t.Fatal(err)
	}
}
