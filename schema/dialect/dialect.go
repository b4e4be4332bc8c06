// Package dialect writes the SQL with which the snapshots of a sink are read: the tables and views of
// Athena, and a script for DuckDB.
//
// Both give the same views with the same columns (they are listed in views.sql.tmpl), made from the
// tables of package schema. What holds in both: a row is seen only where a sealed manifest names the file
// that it stands in. Data files of a date that is not sealed, left over or replaced, are in no answer;
// DuckDB does not even open them, Athena skips them by a join on the manifests' lists of files.
//
// The text depends on the place alone: no clock, no environment, no secret. A place that can't stand
// in SQL is a Configuration fault.
package dialect

import (
	"embed"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"rollcall/schema"
	"rollcall/schema/fault"
)

//go:embed *.sql.tmpl
var templates embed.FS

// Place is where snapshots lie.
type Place struct {
	Root     string // a folder's absolute path, or s3://bucket/prefix; without a slash at its end
	Region   string // of a bucket; may be empty
	Endpoint string // of a bucket: https://host:port; empty for AWS

	PathStyle *bool // whether the bucket's name stands in the path, or before the endpoint's host; nil: as a run does it
}

// inBucket tells whether the place is a bucket.
func (p Place) inBucket() bool { return strings.HasPrefix(p.Root, "s3://") }

func (p Place) check() error {
	unreadable := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }
	if p.Root == "" || strings.ContainsFunc(p.Root+p.Region+p.Endpoint, unreadable) {
		return fault.New(fault.Configuration, "the place %q can't be written in SQL", p.Root)
	}
	return nil
}

// wholeGroup and wholeUser are the verdicts that let a group's or a user's own list deny a membership. A
// group can be unverifiable because only some roles were asked for, and then denies nothing; a user's
// list has no such thing, and is unverifiable only where the vendor gives no total.
func wholeGroup() string { return text(string(schema.Exact)) }
func wholeUser() string  { return text(string(schema.Exact)) + ", " + text(string(schema.Unverifiable)) }

// gone says what a view of the latest date leaves out, where it leaves something out.
func gone(table string) string {
	return map[string]string{
		"groups":      "without those that are gone",
		"users":       "without those that are gone",
		"memberships": "without those of groups and users that are gone, whom another view may still name",
	}[table]
}

// meaning is the definition of a state of ownership.
func meaning(state string) string {
	terms := schema.Ownerships()
	return terms[slices.IndexFunc(terms, func(t schema.Term) bool { return t.Word == state })].Meaning
}

// text is a text in standard SQL.
func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// name is a name in standard SQL.
func name(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// shared is what both dialects' templates can call.
func shared() template.FuncMap {
	return template.FuncMap{
		"text": text, "name": name, "wholeGroup": wholeGroup, "wholeUser": wholeUser,
		"tables": schema.Tables, "gone": gone, "meaning": meaning,
		"columns": func(t schema.Table) string {
			var names []string
			for _, c := range t.Columns {
				names = append(names, "r."+name(c.Name))
			}
			return strings.Join(names, ", ")
		},
	}
}

// render carries out the template called file with what is special to the dialect.
func render(file string, special template.FuncMap, data any) (string, error) {
	all, err := template.New("").Funcs(shared()).Funcs(special).ParseFS(templates, "views.sql.tmpl", file)
	if err != nil {
		return "", &fault.Error{Kind: fault.Bug, Message: "template " + file, Err: err}
	}
	var b strings.Builder
	if err := all.ExecuteTemplate(&b, file, data); err != nil {
		return "", &fault.Error{Kind: fault.Bug, Message: "template " + file, Err: err}
	}
	return b.String(), nil
}

// Statements cuts a text that this package made into its statements, without comments and without the
// semicolons: what a client takes that carries out one statement at a time.
func Statements(sql string) []string {
	var all []string
	for _, one := range strings.Split(comment.ReplaceAllString(sql, ""), ";\n") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, one)
		}
	}
	return all
}

// comment is a line that is nothing else.
var comment = regexp.MustCompile(`(?m)^--.*\n`)
