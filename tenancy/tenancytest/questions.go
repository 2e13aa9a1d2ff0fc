package tenancytest

import (
	"encoding/json"
	"fmt"
)

// Questions asks the graph in Cypher. What is asked for by the victim's own names
// comes back in no answer, not even as the number of things.
func (s *Service) Questions(report *Report, as As, questions []string) {
	for _, q := range questions {
		if report.Done() {
			return
		}
		report.Try("Cypher", q, func() string {
			body, err := json.Marshal(map[string]string{"query": q})
			if err != nil {
				return err.Error()
			}
			a := s.Send(as, "POST", "/v1/graph/query", string(body))
			if a.Status >= 500 {
				return fmt.Sprintf("answers %d: %.200s", a.Status, a.Body)
			}
			if secret := s.Secrets.In(a.All(), q); secret != "" {
				return fmt.Sprintf("%d shows %q", a.Status, secret)
			}
			return ""
		})
	}
}
