package wire

import (
	"unicode"
	"unicode/utf8"
)

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkText bounds a text and refuses control characters: it will stand in
// logs, terminals and pages.
func checkText(what, s string, limit int) error {
	if len(s) > limit {
		return refuse(TooLarge, "%s of %d bytes, at most %d", what, len(s), limit)
	}
	if !utf8.ValidString(s) {
		return refuse(Malformed, "%s is not UTF-8", what)
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return refuse(Malformed, "%s has a control character", what)
		}
	}
	return nil
}

func checkAlphanumeric(what, s string, size int) error {
	if len(s) != size {
		return refuse(Malformed, "%s of %d characters, not %d", what, len(s), size)
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return refuse(Malformed, "%s has characters beyond 0-9A-Za-z", what)
		}
	}
	return nil
}

func checkSize(what string, b []byte, size int) error {
	if len(b) != size {
		return refuse(Malformed, "%s of %d bytes, not %d", what, len(b), size)
	}
	return nil
}

// checkOptionalSize takes an absent one; one that is there but empty is not
// absent.
func checkOptionalSize(what string, b []byte, size int) error {
	if b == nil {
		return nil
	}
	return checkSize(what, b, size)
}

func checkTime(what string, ms int64) error {
	if ms < 0 || ms > MaxTime {
		return refuse(Malformed, "%s %d is outside 1970 to 9999", what, ms)
	}
	return nil
}

// checkKind wants [a-z][a-z0-9-]*, as package discovery does.
func checkKind(s string) error {
	if len(s) > MaxKind {
		return refuse(TooLarge, "kind of %d bytes, at most %d", len(s), MaxKind)
	}
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return refuse(Malformed, "kind does not begin with a-z")
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return refuse(Malformed, "kind has characters beyond a-z0-9-")
		}
	}
	return nil
}

func checkKinds(kinds []string) error {
	if len(kinds) > MaxKinds {
		return refuse(TooLarge, "%d kinds, at most %d", len(kinds), MaxKinds)
	}
	for _, k := range kinds {
		if err := checkKind(k); err != nil {
			return err
		}
	}
	return nil
}
