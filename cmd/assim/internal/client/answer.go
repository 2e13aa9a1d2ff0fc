package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Answer is what came of a request.
type Answer struct {
	path   string
	body   []byte
	header http.Header
	err    error
}

// Of reads what a method of the API's client returns. A refusal is a *Problem, no
// answer an *Unreachable.
func Of(res *http.Response, err error) Answer {
	if err != nil {
		return Answer{err: err}
	}
	defer res.Body.Close()
	a := Answer{path: res.Request.URL.Path, header: res.Header}
	if a.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer)); err != nil {
		a.err = &Unreachable{res.Request.URL.Host, err}
	} else if res.StatusCode >= 400 {
		a.err = problem(res, a.body)
	}
	return a
}

// Into decodes the answer; nil drops it.
func (a Answer) Into(out any) error {
	if a.err != nil || out == nil || len(a.body) == 0 {
		return a.err
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", a.path, err)
	}
	return nil
}

// Raw is the answer as it came.
func (a Answer) Raw() (json.RawMessage, error) { return a.body, a.err }
