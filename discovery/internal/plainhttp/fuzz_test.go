package plainhttp

import "testing"

func FuzzParse(f *testing.F) {
	f.Add([]byte("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("HTTP/1.1 404\r\n\r\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if document, err := parse(answer, 64); err == nil && len(document) > 64 {
			t.Errorf("%d bytes", len(document))
		}
	})
}
