package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"assimilation/discovery/internal/order"
)

// Canonical encodes v as canonical JSON, the only form in which a fact's body
// travels and is hashed:
//
//   - objects with their keys in ascending order of bytes, no key twice;
//   - no white space outside strings;
//   - numbers are integers of 64 bits, without exponent, fraction or "-0";
//   - strings are valid UTF-8 without U+0000; only '"', '\' and the control
//     characters below U+0020 are escaped: \b \t \n \f \r, the others \u00xx
//     in lower case;
//   - at most MaxDepth nested arrays and objects, at most MaxBody bytes.
//
// It takes what bodies are made of: structs with json tags (names, omitempty,
// "-"), maps with string keys, slices, arrays, strings, booleans, integers,
// json.Number, pointers and interfaces to these. A nil slice is [], a nil map
// {}, a nil pointer null. Anything else, a float above all, is an error.
func Canonical(v any) ([]byte, error) {
	e := canonicalEncoder{fields: map[reflect.Type][]encodedField{}}
	if err := e.value(reflect.ValueOf(v), 0); err != nil {
		return nil, err
	}
	if len(e.out) > MaxBody {
		return nil, tooLarge(len(e.out))
	}
	return e.out, nil
}

// Clean makes host data (arguments, file contents) fit for a fact: invalid
// UTF-8 becomes U+FFFD, control characters become spaces, and what exceeds max
// bytes is cut at the border of a character.
func Clean(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}

// canonicalEncoder appends to out. The fields of each struct type are looked
// up once per encoding.
type canonicalEncoder struct {
	out    []byte
	fields map[reflect.Type][]encodedField
}

type encodedField struct {
	name      string
	index     int
	omitEmpty bool
}

var numberType = reflect.TypeFor[json.Number]()

func (e *canonicalEncoder) value(v reflect.Value, depth int) error {
	if len(e.out) > MaxBody {
		return tooLarge(len(e.out))
	}
	for hops := 0; v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer; hops++ {
		if hops > MaxDepth { // pointers may form a circle
			return errDepth
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Invalid: // nil
		e.out = append(e.out, "null"...)
	case reflect.Bool:
		e.out = strconv.AppendBool(e.out, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.out = strconv.AppendInt(e.out, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > 1<<63-1 {
			return fmt.Errorf("number %d is beyond 64 bits with sign", v.Uint())
		}
		e.out = strconv.AppendUint(e.out, v.Uint(), 10)
	case reflect.String:
		if v.Type() == numberType {
			return e.number(v.String())
		}
		return e.string(v.String())
	case reflect.Slice, reflect.Array:
		return e.list(v, depth+1)
	case reflect.Struct:
		return e.structure(v, depth+1)
	case reflect.Map:
		return e.object(v, depth+1)
	default:
		return fmt.Errorf("type %s has no canonical form", v.Type())
	}
	return nil
}

func (e *canonicalEncoder) number(s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != s {
		return fmt.Errorf("number %.40q is not a plain integer of 64 bits", s)
	}
	e.out = append(e.out, s...)
	return nil
}

func (e *canonicalEncoder) string(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("string is not valid UTF-8")
	}
	e.out = append(e.out, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		if c == 0 {
			return errors.New("string contains U+0000")
		}
		e.out = append(e.out, s[from:i]...)
		e.out = appendEscape(e.out, c)
		from = i + 1
	}
	e.out = append(e.out, s[from:]...)
	e.out = append(e.out, '"')
	return nil
}

// shortEscapes are the characters with an escape of two bytes.
const shortEscapes = "\"\\\b\t\n\f\r"

func appendEscape(out []byte, c byte) []byte {
	if i := strings.IndexByte(shortEscapes, c); i >= 0 {
		return append(out, '\\', `"\btnfr`[i])
	}
	const hex = "0123456789abcdef"
	return append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

var errDepth = fmt.Errorf("more than %d nested arrays and objects", MaxDepth)

func (e *canonicalEncoder) list(v reflect.Value, depth int) error {
	if depth > MaxDepth {
		return errDepth
	}
	e.out = append(e.out, '[')
	for i := range v.Len() {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		if err := e.value(v.Index(i), depth); err != nil {
			return err
		}
	}
	e.out = append(e.out, ']')
	return nil
}

func (e *canonicalEncoder) structure(v reflect.Value, depth int) error {
	if depth > MaxDepth {
		return errDepth
	}
	fields, known := e.fields[v.Type()]
	if !known {
		var err error
		if fields, err = fieldsOf(v.Type()); err != nil {
			return err
		}
		e.fields[v.Type()] = fields
	}
	e.out = append(e.out, '{')
	first := true
	for _, f := range fields {
		field := v.Field(f.index)
		if f.omitEmpty && isEmpty(field) {
			continue
		}
		if err := e.member(f.name, field, depth, &first); err != nil {
			return err
		}
	}
	e.out = append(e.out, '}')
	return nil
}

func (e *canonicalEncoder) object(v reflect.Value, depth int) error {
	if depth > MaxDepth {
		return errDepth
	}
	if v.Type().Key().Kind() != reflect.String {
		return fmt.Errorf("map key of type %s has no canonical form", v.Type().Key())
	}
	keys := v.MapKeys()
	order.By(keys, func(a, b *reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	e.out = append(e.out, '{')
	first := true
	for _, k := range keys {
		if err := e.member(k.String(), v.MapIndex(k), depth, &first); err != nil {
			return err
		}
	}
	e.out = append(e.out, '}')
	return nil
}

func (e *canonicalEncoder) member(name string, v reflect.Value, depth int, first *bool) error {
	if !*first {
		e.out = append(e.out, ',')
	}
	*first = false
	if err := e.string(name); err != nil {
		return err
	}
	e.out = append(e.out, ':')
	return e.value(v, depth)
}

// fieldsOf lists the encoded fields of a struct in the order of their names.
func fieldsOf(t reflect.Type) ([]encodedField, error) {
	var fields []encodedField
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
			continue
		case f.Anonymous || !f.IsExported() || name == "":
			return nil, fmt.Errorf("field %s.%s has no json name of its own", t, f.Name)
		case options != "" && options != "omitempty":
			return nil, fmt.Errorf("field %s.%s: json option %q is not supported", t, f.Name, options)
		}
		fields = append(fields, encodedField{name, i, options == "omitempty"})
	}
	order.By(fields, func(a, b *encodedField) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(fields); i++ {
		if fields[i].name == fields[i-1].name {
			return nil, fmt.Errorf("struct %s has the json name %q twice", t, fields[i].name)
		}
	}
	return fields, nil
}

// isEmpty is encoding/json's notion: false, 0, nil, and whatever has length 0.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}
