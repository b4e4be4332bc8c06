package config

import (
	_ "embed"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template"

	"rollcall/sources"
)

//go:embed reference.md.tmpl
var referencePage string

// Reference documents the configuration as one page: every block and attribute, and all that
// vendors' definitions tell. It is what REFERENCE.md holds.
func Reference(definitions []sources.Definition) (string, error) {
	page, err := template.New("reference").Funcs(template.FuncMap{"join": func(names []string) string { return strings.Join(names, ", ") }}).Parse(referencePage)
	if err != nil {
		return "", err
	}
	var vendors referenceVendors
	for _, d := range definitions {
		vendors = append(vendors, referenceVendor{Type: d.Type, Title: d.Title, Attributes: referenceAttributes(d.Config()), Data: referenceData(d)})
	}
	var b strings.Builder
	err = page.Execute(&b, vendors)
	return b.String(), err
}

// referenceVendors are what the page is made from.
type referenceVendors []referenceVendor

type referenceVendor struct {
	Type, Title string
	Attributes  []referenceAttribute
	Data        []referenceBlock
}

type referenceAttribute struct{ Name, Type, Default, Doc string }

type referenceBlock struct {
	Type, Keys, Page string
	sources.Data
}

// having lists the types of the data blocks for which has holds, marked as code.
func (v referenceVendors) having(has func(sources.Data) bool) []string {
	var names []string
	for _, vendor := range v {
		for _, d := range vendor.Data {
			if has(d.Data) {
				names = append(names, "`"+d.Type+"`")
			}
		}
	}
	return names
}

func (v referenceVendors) asking(keys ...sources.KeyKind) []string {
	return v.having(func(d sources.Data) bool { return slices.Contains(keys, d.Key) })
}

// Users are the data blocks that take users; and so on for what else a block may take or tell.
func (v referenceVendors) Users() []string { return v.asking(sources.UserKey, sources.RoleKey) }

// Groups are those that take groups.
func (v referenceVendors) Groups() []string { return v.asking(sources.GroupKey, sources.RoleKey) }

// Pairs are those that take memberships.
func (v referenceVendors) Pairs() []string { return v.asking(sources.RoleKey) }

// Only are those that can be asked for some roles alone.
func (v referenceVendors) Only() []string {
	return v.having(func(d sources.Data) bool { return d.Only })
}

// Topics are those that can be asked about topic communities.
func (v referenceVendors) Topics() []string {
	return v.having(func(d sources.Data) bool { return d.Topics })
}

// Totals are those whose vendor declares a total.
func (v referenceVendors) Totals() []string {
	return v.having(func(d sources.Data) bool { return d.Total })
}

func referenceAttributes(config sources.Config) []referenceAttribute {
	var all []referenceAttribute
	fields := reflect.TypeOf(config).Elem()
	for i := range fields.NumField() {
		field := fields.Field(i)
		tag, tagged := field.Tag.Lookup("hcl")
		if !tagged {
			continue
		}
		name, kind, _ := strings.Cut(tag, ",")
		a := referenceAttribute{Name: name, Type: referenceType(field), Default: "required", Doc: field.Tag.Get("doc")}
		if kind == "optional" {
			a.Default = "`" + field.Tag.Get("default") + "`"
		}
		all = append(all, a)
	}
	return all
}

func referenceType(field reflect.StructField) string {
	switch {
	case isSecret(field):
		return "secret"
	case field.Type.Kind() == reflect.Bool:
		return "true or false"
	case field.Type.Kind() == reflect.String:
		return "text"
	default:
		return "number"
	}
}

func referenceData(d sources.Definition) []referenceBlock {
	var all []referenceBlock
	for _, data := range d.Data {
		b := referenceBlock{Type: d.Type + "_" + data.Name, Data: data}
		switch data.Key {
		case sources.UserKey:
			b.Keys, b.Page = "each user", fmt.Sprintf("up to %d groups", data.PageSize)
		case sources.GroupKey:
			b.Keys, b.Page = "each group", fmt.Sprintf("up to %d members", data.PageSize)
		case sources.RoleKey:
			b.Keys, b.Page = "users in a group", fmt.Sprintf("up to %d users of one group", data.Batch)
		}
		all = append(all, b)
	}
	return all
}
