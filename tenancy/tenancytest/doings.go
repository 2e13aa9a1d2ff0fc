package tenancytest

// Doings lets the attacker do everything that changes something, to its own things:
// whatever a request does must be done there only, which the rows of the victim tell
// afterwards. fresh is an owner of the attacker's tenant in a session of their own,
// as some requests end it.
func (s *Service) Doings(report *Report, routes []Route, fresh func() As) {
	for _, r := range routes {
		if r.Program || r.Safe() || s.Shy[r.Name()] {
			continue
		}
		for _, n := range r.filled(s.Attacker) {
			if report.Done() {
				return
			}
			report.Try("doings of one's own", r.Method+" "+n.path, func() string {
				body, _ := s.body(r, s.Attacker)
				s.Send(fresh(), r.Method, n.path, body)
				return ""
			})
		}
	}
}
