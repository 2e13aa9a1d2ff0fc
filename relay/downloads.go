package relay

import (
	"io"

	"assimilation/relay/internal/handout"
)

func (r *Relay) handout() (*handout.Handout, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.parts.hands == nil {
		return nil, handout.ErrOff
	}
	return r.parts.hands, nil
}

// Downloads is for the status pages.
func (r *Relay) Downloads() (handout.Report, error) {
	hands, err := r.handout()
	if err != nil {
		return handout.Report{Problem: err.Error(), Files: []handout.File{}}, nil
	}
	return hands.Report(), nil
}

// Take takes a file that hosts shall be given, from a person.
func (r *Relay) Take(file io.Reader) (handout.File, error) {
	hands, err := r.handout()
	if err != nil {
		return handout.File{}, err
	}
	return hands.Take(file)
}
