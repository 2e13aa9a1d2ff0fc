package web

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Code names a sort of problem for programs: texts may be reworded, codes stay.
type Code string

// The codes.
const (
	BadRequest      Code = "bad_request"
	Unauthenticated Code = "unauthenticated" // no credential was sent
	MalformedToken  Code = "malformed_token"
	WrongTokenKind  Code = "wrong_token_kind"
	UnknownToken    Code = "unknown_token"
	ExpiredToken    Code = "expired_token"
	RevokedToken    Code = "revoked_token"
	UnknownSession  Code = "unknown_session"
	Forbidden       Code = "forbidden" // the role does not allow it
	// SecondFactorNeeded: the log-in wants a code, too; SecondFactorOwed: the tenant
	// wants its people to have one; ProofRequired: the session is not fresh enough.
	SecondFactorNeeded Code = "second_factor_needed"
	SecondFactorOwed   Code = "second_factor_owed"
	ProofRequired      Code = "proof_required"
	NotFound           Code = "not_found"
	NoSuchMethod       Code = "method_not_allowed"
	Conflict           Code = "conflict"
	AmbiguousName      Code = "ambiguous_name" // several have it: use the id
	TooLarge           Code = "too_large"
	Invalid            Code = "invalid" // errors says which field
	InvalidCursor      Code = "invalid_cursor"
	NotHeld            Code = "not_held"        // the past is not held that far back
	NoLookingBack      Code = "no_looking_back" // this can only be asked of now
	TooMany            Code = "too_many_requests"
	OverQuota          Code = "over_quota" // the tenant has all that it may have
	// Of requests that name themselves by Idempotency-Key: another had the name; the
	// first is being done, or broke off.
	KeyReused   Code = "idempotency_key_reused"
	Unanswered  Code = "idempotency_key_unanswered"
	Internal    Code = "internal" // the cause is in the service's log
	Unavailable Code = "unavailable"
)

// Codes lists them, for the description of the API.
var Codes = []Code{BadRequest, Unauthenticated, MalformedToken, WrongTokenKind, UnknownToken, ExpiredToken, RevokedToken, UnknownSession,
	Forbidden, SecondFactorNeeded, SecondFactorOwed, ProofRequired, NotFound, NoSuchMethod, Conflict, AmbiguousName, TooLarge, Invalid, InvalidCursor, NotHeld, NoLookingBack, TooMany, OverQuota, KeyReused, Unanswered, Internal, Unavailable}

// Problem is an error answer (RFC 9457) with a code. Features may return one;
// every other error gets the code of its status.
type Problem struct {
	huma.ErrorModel
	Code Code `json:"code"`
}

// NewProblem makes a problem.
func NewProblem(status int, code Code, detail string) *Problem {
	return &Problem{huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail}, code}
}

// BadCursor is the problem of a cursor that no list gave.
func BadCursor() *Problem {
	return NewProblem(http.StatusUnprocessableEntity, InvalidCursor, "cursor is not one that this list gave")
}

func codeOf(status int) Code {
	switch status {
	case http.StatusBadRequest:
		return BadRequest
	case http.StatusUnauthorized:
		return Unauthenticated
	case http.StatusForbidden:
		return Forbidden
	case http.StatusNotFound:
		return NotFound
	case http.StatusMethodNotAllowed:
		return NoSuchMethod
	case http.StatusConflict:
		return Conflict
	case http.StatusGone:
		return NotHeld
	case http.StatusRequestEntityTooLarge:
		return TooLarge
	case http.StatusUnprocessableEntity:
		return Invalid
	case http.StatusTooManyRequests:
		return TooMany
	case http.StatusServiceUnavailable:
		return Unavailable
	}
	if status >= http.StatusInternalServerError {
		return Internal
	}
	return BadRequest
}

// cleanProblem is the last look at an error answer: what the client sent is not
// repeated (it may be a password), and of our own faults it learns nothing.
func (s *Web) cleanProblem(ctx huma.Context, _ string, v any) (any, error) {
	var problem *Problem
	switch v := v.(type) {
	case *Problem:
		problem = v
	case *huma.ErrorModel:
		problem = &Problem{*v, codeOf(v.Status)}
	default:
		return v, nil
	}
	if problem.Status >= http.StatusInternalServerError && len(problem.Errors) > 0 {
		if ctx.Context().Err() == nil {
			s.config.Log.Error("api", "method", ctx.Method(), "path", ctx.Operation().Path, "error", problem.Errors[0].Message)
		}
		problem.Errors = nil
		problem.Detail = "the service failed; the cause is in its log"
	}
	for _, e := range problem.Errors {
		e.Value = nil
	}
	return problem, nil
}
