package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"

	"assimilation/discovery"
)

// field is a field of a kind's body and what its comment says.
type field struct {
	discovery.Field
	doc string
}

func describe(kind discovery.Kind, known comments) ([]field, error) {
	described, err := discovery.Describe(kind)
	if err != nil {
		return nil, err
	}
	docs := map[string]string{}
	if err := known.ofStruct(reflect.TypeOf(kind.Body), "", docs); err != nil {
		return nil, fmt.Errorf("reading the comments of kind %s: %w", kind.Name, err)
	}
	fields := make([]field, len(described))
	for i, d := range described {
		fields[i] = field{d, docs[d.Path]}
	}
	return fields, nil
}

// comments are the comments of struct fields: by package, type and field.
type comments map[string]map[string]map[string]string

// ofStruct notes what stands beside the fields of a type, by their paths in JSON.
func (c comments) ofStruct(t reflect.Type, prefix string, docs map[string]string) error {
	of, err := c.ofPackage(t.PkgPath())
	if err != nil {
		return err
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		docs[prefix+name] = of[t.Name()][f.Name]
		inner, innerPrefix := f.Type, prefix+name+"."
		if inner.Kind() == reflect.Slice {
			inner, innerPrefix = inner.Elem(), prefix+name+"[]."
		}
		if inner.Kind() == reflect.Struct {
			if err := c.ofStruct(inner, innerPrefix, docs); err != nil {
				return err
			}
		}
	}
	return nil
}

// ofPackage reads the sources of a package of this module.
func (c comments) ofPackage(path string) (map[string]map[string]string, error) {
	if known := c[path]; known != nil {
		return known, nil
	}
	types := map[string]map[string]string{}
	files, err := filepath.Glob(filepath.Join(strings.TrimPrefix(path, "assimilation/"), "*.go"))
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, declared := range file.Decls {
			general, ok := declared.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				if named, ok := spec.(*ast.TypeSpec); ok {
					if structure, ok := named.Type.(*ast.StructType); ok {
						types[named.Name.Name] = fieldComments(structure)
					}
				}
			}
		}
	}
	c[path] = types
	return types, nil
}

// fieldComments are the words above and behind the fields.
func fieldComments(structure *ast.StructType) map[string]string {
	docs := map[string]string{}
	for _, f := range structure.Fields.List {
		words := strings.Fields(f.Doc.Text() + " " + f.Comment.Text())
		for _, name := range f.Names {
			docs[name.Name] = strings.TrimPrefix(strings.Join(words, " "), name.Name+": ")
		}
	}
	return docs
}
