package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// server finds the server's URL once per process.
var server = sync.OnceValues(findServer)

// Server is the superuser's URL of the server of tests, for those that reach it by
// another way.
func Server() (string, error) { return server() }

func findServer() (string, error) {
	if fromEnv := os.Getenv("ASSIM_DATABASE_URL"); fromEnv != "" {
		if _, err := url.Parse(fromEnv); err != nil {
			return "", fmt.Errorf("reading ASSIM_DATABASE_URL: %w", err)
		}
		return fromEnv, answers(fromEnv)
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	file := filepath.Join(root, ".dev", Directory(), "url")
	if dev, err := readURL(file); err == nil && answers(dev) == nil {
		return dev, nil
	}
	// Processes that come here together are serialised by the script's lock.
	script := filepath.Join(root, "ops", "postgres", "up.sh")
	if out, err := exec.Command(script).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", script, err, out)
	}
	dev, err := readURL(file)
	if err != nil {
		return "", err
	}
	return dev, answers(dev)
}

// Directory is the one, under .dev, of the server that ASSIM_POSTGRES chooses:
// 17 if it is not set, or 18.
func Directory() string {
	if os.Getenv("ASSIM_POSTGRES") == "18" {
		return "postgres18"
	}
	return "postgres"
}

func readURL(file string) (string, error) {
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)), err
}

func answers(adminURL string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// moduleRoot is the nearest parent of the working directory with a go.mod;
// tests run in their package's directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the test; set ASSIM_DATABASE_URL")
		}
		dir = parent
	}
}
