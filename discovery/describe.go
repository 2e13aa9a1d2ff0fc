package discovery

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Class says how sensitive a field is; a tenant's residency policy decides by
// it what may leave a site.
type Class string

// The classes, from the least sensitive on.
const (
	ClassPublic   Class = "public"   // says nothing about the host: names and versions of packages
	ClassInternal Class = "internal" // the host's configuration: addresses, programs
	ClassTopology Class = "topology" // where the host stands: switch, port, rack, location
	ClassPersonal Class = "personal" // may name a person: arguments, user names
)

// Shape is what a field is in JSON.
type Shape string

// The shapes. List is a list of scalars, Items a list of objects.
const (
	String  Shape = "string"
	Integer Shape = "integer"
	Boolean Shape = "boolean"
	Object  Shape = "object"
	List    Shape = "list"
	Items   Shape = "items"
)

// Field describes one field of a kind's body.
type Field struct {
	Path     string // "services[].listens[].ip"; a list's own path has no trailing "[]"
	Shape    Shape
	Class    Class    // of scalars and lists of scalars
	Key      []string // of Items: the fields that tell two items apart
	Title    []string // of Items: how people call an item, see Diff; Key where none is given
	Optional bool     // left out when empty
}

// Describe lists the fields of a kind's body, each parent before its children,
// in the order of declaration. It reports a field that lacks its class, a list
// that lacks its key, and a type that has no place in a body.
//
// The tags are: json (name, omitempty), class (see Class), key (names of the
// item's fields, separated by commas), title (the same; "ip:port" joins an
// address and a port).
func Describe(kind Kind) ([]Field, error) {
	if kind.Body == nil {
		return nil, fmt.Errorf("kind %s has no body type", kind.Name)
	}
	t := reflect.TypeOf(kind.Body)
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("body of kind %s is not a struct", kind.Name)
	}
	fields, err := describeStruct(t, "", 1)
	if err != nil {
		return nil, fmt.Errorf("kind %s: %w", kind.Name, err)
	}
	return fields, nil
}

func describeStruct(t reflect.Type, prefix string, depth int) ([]Field, error) {
	if depth > MaxDepth {
		return nil, errDepth
	}
	if _, err := fieldsOf(t); err != nil {
		return nil, err
	}
	var out []Field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		d := Field{Path: prefix + name, Optional: options == "omitempty", Class: Class(f.Tag.Get("class"))}
		var inner reflect.Type
		innerPrefix := d.Path + "."
		var err error
		switch f.Type.Kind() {
		case reflect.Struct:
			d.Shape, inner = Object, f.Type
		case reflect.Slice:
			if f.Type.Elem().Kind() == reflect.Struct {
				d.Shape, inner, innerPrefix = Items, f.Type.Elem(), d.Path+"[]."
				d.Key, d.Title, err = listTags(f)
			} else if _, err = scalarShape(f.Type.Elem()); err == nil {
				d.Shape = List
			}
		default:
			d.Shape, err = scalarShape(f.Type)
		}
		if err == nil && inner == nil {
			err = checkClass(d.Class)
		}
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", d.Path, err)
		}
		out = append(out, d)
		if inner != nil {
			children, err := describeStruct(inner, innerPrefix, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, children...)
		}
	}
	return out, nil
}

func scalarShape(t reflect.Type) (Shape, error) {
	switch t.Kind() {
	case reflect.String:
		return String, nil
	case reflect.Bool:
		return Boolean, nil
	case reflect.Int64:
		return Integer, nil
	}
	return "", fmt.Errorf("type %s has no place in a body", t)
}

func checkClass(c Class) error {
	switch c {
	case ClassPublic, ClassInternal, ClassTopology, ClassPersonal:
		return nil
	}
	return fmt.Errorf("class %q is none of public, internal, topology, personal", c)
}

// listTags reads the key and title of a list of objects.
func listTags(f reflect.StructField) (key, title []string, err error) {
	if f.Tag.Get("key") == "" {
		return nil, nil, fmt.Errorf("list of objects has no key")
	}
	key = strings.Split(f.Tag.Get("key"), ",")
	title = key
	if t := f.Tag.Get("title"); t != "" {
		title = strings.Split(t, ",")
	}
	item, err := fieldsOf(f.Type.Elem())
	if err != nil {
		return nil, nil, err
	}
	for _, words := range [][]string{key, title} {
		for _, name := range strings.FieldsFunc(strings.Join(words, ","), func(r rune) bool { return r == ',' || r == ':' }) {
			if !slices.ContainsFunc(item, func(e encodedField) bool { return e.name == name }) {
				return nil, nil, fmt.Errorf("key or title names %q, which its items do not have", name)
			}
		}
	}
	return key, title, nil
}
