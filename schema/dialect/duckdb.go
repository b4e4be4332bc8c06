package dialect

import (
	"fmt"
	"net/url"
	"regexp"
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
	if err := place.check(); err != nil {
		return "", err
	}
	if unlisted.MatchString(place.Root) && place.inBucket() {
		e := fault.New(fault.Configuration, "DuckDB can't list what lies below %s", place.Root)
		e.Hint = `it misreads ' " & < > + and %20 in the names of a bucket's folders, and would show no snapshot at all: choose another prefix, or read a copy`
		return "", e
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
		"pattern":  func() string { return literally(place.Root) },
		"empty":    empty,
		"variable": func(table string) string { return text("rollcall_" + table) },
	}, place)
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
		parts = append(parts, "ENDPOINT "+text(u.Host+strings.TrimRight(u.Path, "/")), "URL_STYLE 'path'")
		if u.Scheme == "http" {
			parts = append(parts, "USE_SSL false")
		}
		if region == "" {
			region = "us-east-1" // as the run itself does
		}
	}
	if region != "" {
		parts = append(parts, "REGION "+text(region))
	}
	return strings.Join(parts, ", ")
}

// literally is a path that DuckDB takes for nothing but itself: where it looks for files, * ? and [ mean others.
func literally(path string) string {
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
