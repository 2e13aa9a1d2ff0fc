package downloads

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"assimilation/uplink"
)

// ForHosts lists what relays may hand out in their sites: all that belongs to
// probes.
func (s *Service) ForHosts() ([]uplink.Program, error) {
	list := []uplink.Program{}
	for _, name := range append(platformNames("assim-probe"), units...) {
		if !strings.HasPrefix(name, "assim-probe") {
			continue
		}
		size, hash, err := s.describe(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("listing what relays may hand out: %w", err)
		}
		if size <= 0 || size > uplink.MaxProgram {
			s.log.Error("relays are not told of a file: it is empty or too large", "file", name, "bytes", size)
			continue
		}
		list = append(list, uplink.Program{Name: name, Size: size, Hash: hash, Version: s.build})
	}
	return list, nil
}

func (s *Service) describe(name string) (size int64, hash []byte, err error) {
	if unit, ok := s.units[name]; ok {
		return int64(len(unit)), sumOf(unit), nil
	}
	file, info, err := s.open(name)
	if err != nil {
		return 0, nil, err
	}
	defer file.Close()
	text, err := s.sum(name)
	if err != nil {
		return 0, nil, err
	}
	hash, err = hex.DecodeString(text)
	return info.Size(), hash, err
}
