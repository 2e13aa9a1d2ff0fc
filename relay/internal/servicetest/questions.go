package servicetest

import (
	"net/http"
	"time"

	"assimilation/uplink"
)

// Ask puts a question of that kind into all answers to requests for orders from
// now on, until it is answered. at is when it was asked.
func (s *Service) Ask(kind string, at time.Time) (id [16]byte, answers <-chan uplink.Answer) {
	id = [16]byte(uplink.NewNonce())
	taken := make(chan uplink.Answer, 4)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.questions = append(s.questions, uplink.Question{ID: id[:], Kind: kind, At: at.UnixMilli()})
	s.answers[id] = taken
	s.wake()
	return id, taken
}

// answer takes in what the relay answers.
func (s *Service) answer(_ *http.Request, _ uplink.Header, payload []byte, _ Fault) ([]byte, error) {
	a, err := uplink.DecodeAnswer(payload)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if taken := s.answers[[16]byte(a.Question)]; taken != nil {
		taken <- a
	}
	return uplink.Ack{Nonce: a.Question}.Encode()
}
