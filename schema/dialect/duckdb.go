package dialect

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"rollcall/schema"
	"rollcall/schema/fault"
)

// unlisted is what DuckDB finds no files below, and says nothing: it takes a bucket's list of names for
// what it is not (the marks of XML as they are escaped, + for a blank, %20 for a blank).
var unlisted = regexp.MustCompile(`['"&<>+]|%[0-9A-Fa-f]{2}`)

// DuckDB gives a script that makes all views over the snapshots in a place. It is plain SQL, so that any
// client can run it, `duckdb --init` among them.
func DuckDB(place Place) (string, error) {
	if err := CheckDuckDB(place); err != nil {
		return "", err
	}
	return render("duckdb.sql.tmpl", template.FuncMap{
		"view": func(s string) string { return "CREATE OR REPLACE TEMP VIEW " + name(s) },
		"from": name,
		"days": func(first, last string) string {
			return fmt.Sprintf("CROSS JOIN LATERAL (SELECT CAST(unnest(generate_series(%s, %s, INTERVAL 1 DAY)) AS DATE)) AS days (as_of_date)", first, last)
		},
		"before":   func(day string) string { return day + " - 1" },
		"bucket":   place.inBucket,
		"secret":   func() string { return secret(place) },
		"pattern":  func() string { return Literally(place.Root) },
		"empty":    empty,
		"variable": func(table string) string { return text("rollcall_" + table) },
	}, place)
}

// CheckDuckDB tells whether DuckDB can read what lies in a place. Where it can't, it says nothing itself, and
// shows no snapshot or another one's values.
func CheckDuckDB(place Place) error {
	if err := place.check(); err != nil {
		return err
	}
	refused := func(hint, format string, args ...any) error {
		e := fault.New(fault.Configuration, format, args...)
		e.Hint = hint
		return e
	}
	const elsewhere = "give the sink another path, or read a copy"
	if unlisted.MatchString(place.Root) && place.inBucket() {
		return refused(`it misreads ' " & < > + and %20 in the names of a bucket's folders, and would show no snapshot at all: choose another prefix, or read a copy`,
			"DuckDB can't list what lies below %s", place.Root)
	}
	if strings.Contains(place.Root, `\`) {
		return refused("it takes a backslash for what parts folders, and would show no snapshot at all: "+elsewhere,
			"DuckDB can't list what lies below %s", place.Root)
	}
	for folder := range strings.SplitSeq(place.Root, "/") {
		if name, _, is := strings.Cut(folder, "="); is && isColumn(name) {
			return refused(fmt.Sprintf("it would show %s in the column %s of every row, or no row at all: %s", folder, strings.ToLower(name), elsewhere),
				"DuckDB takes the folder %s above the snapshots for a column's value", folder)
		}
	}
	return nil
}

// isColumn tells whether a view, or the text of a manifest as DuckDB reads it, has a column of this name, in whatever case.
func isColumn(name string) bool {
	if slices.Contains([]string{"snapshot_date", "filename", "content"}, strings.ToLower(name)) {
		return true
	}
	return slices.ContainsFunc(schema.Tables(), func(t schema.Table) bool {
		return slices.ContainsFunc(t.Columns, func(c schema.Column) bool { return strings.EqualFold(c.Name, name) })
	})
}

// secret tells DuckDB how to reach the bucket. It names where credentials come from, and holds none.
func secret(p Place) string {
	parts := []string{"TYPE s3", "PROVIDER credential_chain", "SCOPE " + text(p.Root)}
	region := p.Region
	if p.Endpoint != "" {
		u, err := url.Parse(p.Endpoint)
		if err != nil { // the configuration has looked at it
			u = &url.URL{Host: p.Endpoint}
		}
		parts = append(parts, "ENDPOINT "+text(u.Host+strings.TrimRight(u.Path, "/")))
		if u.Scheme == "http" {
			parts = append(parts, "USE_SSL false")
		}
		if region == "" {
			region = "us-east-1" // as the run itself does
		}
	}
	if p.pathStyle() {
		parts = append(parts, "URL_STYLE 'path'")
	} else if p.Endpoint != "" {
		parts = append(parts, "URL_STYLE 'vhost'")
	}
	if region != "" {
		parts = append(parts, "REGION "+text(region))
	}
	return strings.Join(parts, ", ")
}

// pathStyle tells whether a run asks for the bucket in the path. A name with dots can stand before no host of AWS:
// no certificate covers it.
func (p Place) pathStyle() bool {
	if p.PathStyle != nil {
		return *p.PathStyle
	}
	bucket, _, _ := strings.Cut(strings.TrimPrefix(p.Root, "s3://"), "/")
	return p.Endpoint != "" || strings.Contains(bucket, ".")
}

// Literally is a path that DuckDB takes for nothing but itself: where it looks for files, * ? and [ mean others.
func Literally(path string) string {
	return strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(path)
}

// empty selects no row with the columns of a table: what is read where no snapshot is sealed.
func empty(t schema.Table) string {
	types := map[string]string{"string": "VARCHAR", "int64": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN", "timestamp": "TIMESTAMPTZ"}
	var columns []string
	for _, c := range t.Columns {
		columns = append(columns, fmt.Sprintf("NULL::%s AS %s", types[c.Type], name(c.Name)))
	}
	return "SELECT " + strings.Join(columns, ", ") + ", NULL::DATE AS snapshot_date WHERE false"
}
