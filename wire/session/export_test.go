package session

// SetCounter makes the session look as if it had sealed so many packets.
func (s *Session) SetCounter(n uint64) { s.counter = n }
