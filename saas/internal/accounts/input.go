package accounts

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// Limits of what people type, in characters.
const (
	minPassword   = 12
	maxPassword   = 128
	maxEmail      = 254 // RFC 5321
	maxTenantName = 100
	maxTokenName  = 100
)

// invalid is the answer to input that cannot be right: 422, naming the field.
func invalid(field, why string) error {
	return huma.Error422UnprocessableEntity(field+": "+why, &huma.ErrorDetail{Location: "body." + field, Message: why})
}

// normalEmail is the one spelling under which an address is stored. The part
// before the @ is lowered too: no provider that matters tells cases apart, and
// people do not remember which they typed.
func normalEmail(s string) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", invalid("email", "is missing")
	case len(s) > maxEmail:
		return "", invalid("email", "is longer than 254 characters")
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", invalid("email", "has characters other than plain ASCII")
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" || strings.Contains(s, `"`) {
		return "", invalid("email", "is not an e-mail address")
	}
	return strings.ToLower(s), nil
}

func checkNewPassword(s, email string) error {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return invalid("password", "is not valid text")
	case n < minPassword:
		return invalid("password", "is shorter than 12 characters")
	case n > maxPassword:
		return invalid("password", "is longer than 128 characters")
	case strings.EqualFold(s, email):
		return invalid("password", "is the e-mail address")
	case oneCharacter(s):
		return invalid("password", "repeats a single character")
	}
	return nil
}

func oneCharacter(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	return strings.Trim(s, string(first)) == ""
}

// plainName checks a name that people give to things, and trims it.
func plainName(field, s string, limit int) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", invalid(field, "is missing")
	case utf8.RuneCountInString(s) > limit:
		return "", invalid(field, "is too long")
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return "", invalid(field, "has control characters")
	}
	return s, nil
}
