package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/tenancy"
)

// A POST that names itself by Idempotency-Key
// (draft-ietf-httpapi-idempotency-key-header-07) is done once, however often it
// comes: later ones get the answer of the first.

const (
	repeatHeader = "Idempotency-Key"
	// replayedHeader marks an answer that was given before.
	replayedHeader = "Idempotency-Replayed"
	// maxKept bounds an answer that can be given again, in bytes: a tenant has thousands
	// of them. What is made anew is answered in less.
	maxKept = 32 << 10
	// WhoseKey is how many bytes of a key tell whose it is.
	WhoseKey = 8
	// longestRequest ends a request that goes on without its client.
	longestRequest = 2 * time.Minute
)

// Repeats remembers requests that name themselves, and their answers.
type Repeats interface {
	// Begin notes that a request is being done, unless one with this key was there
	// before: then it returns the answer of that, or ErrOtherRequest, ErrUnanswered,
	// ErrTooManyKeys. The first WhoseKey bytes of a key are the same for one person.
	Begin(ctx context.Context, tenant tenancy.TenantID, key, fingerprint [32]byte) (answer []byte, known bool, err error)
	// End keeps the answer; nil forgets the request.
	End(ctx context.Context, tenant tenancy.TenantID, key [32]byte, answer []byte) error
}

// Errors of Repeats.
var (
	ErrOtherRequest = errors.New("another request had this " + repeatHeader)
	ErrUnanswered   = errors.New("a request with this " + repeatHeader + " is being done, or broke off: look whether it was done before you send it under another key")
	ErrTooManyKeys  = errors.New("too many requests of the last 24 hours had an " + repeatHeader)
)

// keyText is a key, in quotes as the draft wants it (a string of RFC 8941) or bare.
var keyText = regexp.MustCompile(`^(?:"[ !#-\[\]-~]{1,255}"|[!#-\[\]-~]{1,255})$`)

// keptAnswer is what is stored of an answer.
type keptAnswer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// once answers a request that names itself; next does what it asks for.
func (s *Web) once(api huma.API, ctx huma.Context, actor Actor, next func(huma.Context)) {
	text := ctx.Header(repeatHeader)
	if text == "" || ctx.Method() != http.MethodPost || s.config.Repeats == nil {
		next(ctx)
		return
	}
	refuse := func(problem *Problem) {
		s.metrics.refused.WithLabelValues("repeated: " + string(problem.Code)).Inc()
		s.refuse(api, ctx, problem)
	}
	if !keyText.MatchString(text) {
		refuse(NewProblem(http.StatusBadRequest, BadRequest, repeatHeader+" is not 1 to 255 printable characters, with or without quotes"))
		return
	}
	body, err := io.ReadAll(io.LimitReader(ctx.BodyReader(), ctx.Operation().MaxBodyBytes+1))
	if err != nil {
		refuse(NewProblem(http.StatusBadRequest, BadRequest, "the request broke off"))
		return
	}
	// Of one person: what they send by another of their tokens is the same request.
	who := person(actor)
	key := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s", who, strings.Trim(text, `"`)))
	whose := sha256.Sum256([]byte(who))
	copy(key[:WhoseKey], whose[:])
	where := ctx.URL()
	fingerprint := sha256.Sum256(fmt.Appendf(nil, "%s %s\x00%s\x00%s", ctx.Method(), where.RequestURI(), actor.Role, body))
	// It is done to its end, whether its client waits or not: who sends it again wants
	// to hear of that.
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx.Context()), longestRequest)
	defer cancel()
	kept, known, err := s.config.Repeats.Begin(work, actor.Tenant, key, fingerprint)
	switch {
	case errors.Is(err, ErrOtherRequest):
		refuse(NewProblem(http.StatusUnprocessableEntity, KeyReused, err.Error()))
		return
	case errors.Is(err, ErrUnanswered):
		refuse(NewProblem(http.StatusConflict, Unanswered, err.Error()))
		return
	case errors.Is(err, ErrTooManyKeys):
		refuse(NewProblem(http.StatusTooManyRequests, TooMany, err.Error()))
		return
	case err != nil:
		s.config.Log.Error("looking for the answer to a repeated request", "tenant", actor.Tenant, "error", err)
		refuse(NewProblem(http.StatusServiceUnavailable, Unavailable, "whether this was asked before could not be looked up; try again"))
		return
	case known:
		s.answerAgain(ctx, kept)
		return
	}
	answer := &keeping{humaContext: huma.WithContext(ctx, work), in: bytes.NewReader(body), header: http.Header{}}
	next(answer)
	if err := s.config.Repeats.End(work, actor.Tenant, key, answer.kept()); err != nil {
		s.config.Log.Error("keeping the answer to a request", "tenant", actor.Tenant, "error", err)
	}
}

func (s *Web) answerAgain(ctx huma.Context, kept []byte) {
	var a keptAnswer
	if err := json.Unmarshal(kept, &a); err != nil {
		s.config.Log.Error("reading a kept answer", "error", err)
		a = keptAnswer{Status: http.StatusInternalServerError}
	}
	for name, values := range a.Header {
		for _, v := range values {
			ctx.AppendHeader(name, v)
		}
	}
	ctx.SetHeader(replayedHeader, "true")
	ctx.SetStatus(a.Status)
	if _, err := ctx.BodyWriter().Write(a.Body); err != nil {
		s.config.Log.Debug("writing a kept answer", "error", err)
	}
}

// refuse answers a problem before an operation is reached.
func (s *Web) refuse(api huma.API, ctx huma.Context, problem *Problem) {
	ctx.SetHeader("Content-Type", problemType)
	ctx.SetStatus(problem.Status)
	if err := api.Marshal(ctx.BodyWriter(), "application/json", problem); err != nil {
		s.config.Log.Debug("writing a refusal", "error", err)
	}
}

// humaContext can be embedded: huma.Context has a method of its own name.
type humaContext = huma.Context

// keeping passes an answer on and remembers it.
type keeping struct {
	humaContext
	in     io.Reader
	status int
	header http.Header
	body   bytes.Buffer
	over   bool // too long to be remembered
}

func (k *keeping) BodyReader() io.Reader { return k.in }

func (k *keeping) SetStatus(code int) {
	k.status = code
	k.humaContext.SetStatus(code)
}

func (k *keeping) SetHeader(name, value string) {
	k.header.Set(name, value)
	k.humaContext.SetHeader(name, value)
}

func (k *keeping) AppendHeader(name, value string) {
	k.header.Add(name, value)
	k.humaContext.AppendHeader(name, value)
}

func (k *keeping) BodyWriter() io.Writer { return k }

func (k *keeping) Write(b []byte) (int, error) {
	if k.over = k.over || k.body.Len()+len(b) > maxKept; !k.over {
		k.body.Write(b)
	}
	return k.humaContext.BodyWriter().Write(b)
}

// Unwrap lets who needs the request and its connection reach them.
func (k *keeping) Unwrap() huma.Context { return k.humaContext }

// undone are the answers to requests that were not begun: they may be tried again.
var undone = []int{http.StatusTooManyRequests, http.StatusServiceUnavailable}

// kept is the answer as it is stored; nil when the request is to be forgotten.
func (k *keeping) kept() []byte {
	if k.over || slices.Contains(undone, k.status) {
		return nil
	}
	if k.status == 0 {
		k.status = http.StatusOK
	}
	b, err := json.Marshal(keptAnswer{k.status, k.header, k.body.Bytes()})
	if err != nil {
		return nil // strings and bytes only
	}
	return b
}
