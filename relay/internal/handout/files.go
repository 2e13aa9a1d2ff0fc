package handout

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"assimilation/uplink"
)

const (
	listFile    = "programs.json"
	filePrefix  = "sha256-" // then the hash, hexadecimal
	partPattern = "part-"

	// maxTotal bounds the disk that one list takes; two are kept at times.
	maxTotal    = 256 << 20
	shortestTry = time.Second
	longestTry  = 10 * time.Minute
	listenAgain = time.Minute
)

// Errors of Take, and of asking a relay that has no Handout.
var (
	ErrUnwanted = errors.New("the service has not told this relay to hand out a file of this content: it is damaged, of another version, or not for hosts")
	ErrOff      = errors.New("this relay hands out nothing: --install is off, or it does not serve yet")
	ErrTaking   = errors.New("another file is being taken in; try again when it is done")
	ErrTooLarge = fmt.Errorf("the file is larger than %d bytes", uplink.MaxProgram)
)

var errUnsigned = errors.New("what came is not what the service has signed")

func fileName(p uplink.Program) string { return filePrefix + hex.EncodeToString(p.Hash) }

func (h *Handout) has(p uplink.Program) bool {
	info, err := h.folder.Stat(fileName(p))
	return err == nil && info.Size() == p.Size
}

// readList is what was handed out last. A file that is gone since, or a list that
// is damaged, is fetched anew.
func readList(folder *os.Root) ([]uplink.Program, error) {
	content, err := folder.ReadFile(listFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading the list of what hosts install: %w", err)
	}
	var list []uplink.Program
	if json.Unmarshal(content, &list) != nil {
		return nil, nil
	}
	return slices.DeleteFunc(list, func(p uplink.Program) bool {
		info, err := folder.Stat(fileName(p))
		return err != nil || info.Size() != p.Size
	}), nil
}

// dropParts removes what a relay that was killed left half written.
func dropParts(folder *os.Root) error {
	entries, err := fs.ReadDir(folder.FS(), ".")
	if err != nil {
		return fmt.Errorf("reading the folder of what hosts install: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), partPattern) {
			if err := folder.Remove(e.Name()); err != nil {
				return fmt.Errorf("removing half a file: %w", err)
			}
		}
	}
	return nil
}

// fetchAll fetches what is wanted, whenever that changes.
func (h *Handout) fetchAll(ctx context.Context) {
	again := shortestTry
	for ctx.Err() == nil {
		err := h.fetchWanted(ctx)
		if ctx.Err() != nil {
			return
		}
		h.mu.Lock()
		news := err != nil && h.problem != err.Error()
		h.problem = ""
		if err != nil {
			h.problem = err.Error()
		}
		h.mu.Unlock()
		if err == nil {
			again = shortestTry
			pause(ctx, time.Hour, h.changed)
			continue
		}
		if news {
			h.config.Log.Warn("fetching what hosts install", "error", err)
		}
		pause(ctx, again, h.changed)
		again = min(2*again, longestTry)
	}
}

func (h *Handout) fetchWanted(ctx context.Context) error {
	h.mu.Lock()
	wanted := h.wanted
	h.mu.Unlock()
	total := int64(0)
	for _, p := range wanted {
		if total += p.Size; total > maxTotal {
			return fmt.Errorf("the service lists more than %d bytes", maxTotal)
		}
	}
	for _, p := range wanted {
		if h.has(p) {
			continue
		}
		if err := h.fetch(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return h.offer(wanted)
}

func (h *Handout) fetch(ctx context.Context, p uplink.Program) error {
	body, err := h.config.Fetch(ctx, p.Name)
	if err != nil {
		return err
	}
	defer body.Close()
	hash, part, err := h.keep(body, p.Size)
	switch {
	case errors.Is(err, ErrTooLarge):
		return errUnsigned
	case err != nil:
		return err
	case !bytes.Equal(hash, p.Hash):
		return errors.Join(errUnsigned, h.folder.Remove(part))
	}
	return h.place(part, p)
}

// keep stores a stream of at most limit bytes under a name of its own.
func (h *Handout) keep(body io.Reader, limit int64) (hash []byte, name string, err error) {
	name = fmt.Sprintf("%s%d", partPattern, time.Now().UnixNano())
	file, err := h.folder.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, "", fmt.Errorf("keeping a file: %w", err)
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, sum), io.LimitReader(body, limit+1))
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil && size > limit {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("keeping a file: %w", err), h.folder.Remove(name))
	}
	return sum.Sum(nil), name, nil
}

func (h *Handout) place(part string, p uplink.Program) error {
	if err := h.folder.Rename(part, fileName(p)); err != nil {
		return errors.Join(fmt.Errorf("keeping a file: %w", err), h.folder.Remove(part))
	}
	h.config.Log.Info("hosts can be given a file", "file", p.Name, "version", p.Version, "bytes", p.Size)
	return nil
}

// Take takes a file from a person, for a relay that cannot fetch it. Which one it
// is, its content says. One is taken at a time: until it is whole it may be anything,
// and takes disk.
func (h *Handout) Take(from io.Reader) (File, error) {
	if !h.taking.TryLock() {
		return File{}, ErrTaking
	}
	defer h.taking.Unlock()
	hash, part, err := h.keep(from, uplink.MaxProgram)
	if err != nil {
		return File{}, err
	}
	h.mu.Lock()
	at := slices.IndexFunc(h.wanted, func(p uplink.Program) bool { return bytes.Equal(p.Hash, hash) })
	var p uplink.Program
	if at >= 0 {
		p = h.wanted[at]
	}
	h.mu.Unlock()
	if at < 0 {
		return File{}, errors.Join(ErrUnwanted, h.folder.Remove(part))
	}
	if err := h.place(part, p); err != nil {
		return File{}, err
	}
	select {
	case h.changed <- struct{}{}:
	default:
	}
	return describe(p, true), nil
}

// offer hands out a list whose files are all here, and forgets other files.
func (h *Handout) offer(list []uplink.Program) error {
	if list == nil {
		return nil
	}
	content, err := json.Marshal(list)
	if err == nil {
		err = h.folder.WriteFile(listFile+".new", content, 0o600)
	}
	if err == nil {
		err = h.folder.Rename(listFile+".new", listFile)
	}
	if err != nil {
		return fmt.Errorf("keeping the list of what hosts install: %w", err)
	}
	h.mu.Lock()
	h.offered = list
	h.mu.Unlock()
	return h.forgetBut(list)
}

func (h *Handout) forgetBut(list []uplink.Program) error {
	entries, err := fs.ReadDir(h.folder.FS(), ".")
	if err != nil {
		return fmt.Errorf("looking for files that are no longer handed out: %w", err)
	}
	for _, e := range entries {
		kept := slices.ContainsFunc(list, func(p uplink.Program) bool { return fileName(p) == e.Name() })
		if strings.HasPrefix(e.Name(), filePrefix) && !kept {
			if err := h.folder.Remove(e.Name()); err != nil {
				return fmt.Errorf("removing a file that is no longer handed out: %w", err)
			}
		}
	}
	return nil
}
