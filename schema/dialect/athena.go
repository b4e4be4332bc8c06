package dialect

import (
	"fmt"
	"regexp"
	"strings"
	"text/template"
	"time"

	"rollcall/schema"
	"rollcall/schema/advice"
	"rollcall/schema/fault"
)

// AthenaOptions is what a caller may choose.
type AthenaOptions struct {
	Database string // of tables and views; lower case, as Athena wants it
	From     string // the first snapshot date that can be seen, 2026-11-21
}

var database = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,127}$`)

// Athena gives the DDL of all tables and views over the snapshots in a bucket.
func Athena(place Place, options AthenaOptions) (string, error) {
	if err := CheckAthena(place); err != nil {
		return "", err
	}
	if !database.MatchString(options.Database) {
		e := fault.New(fault.Configuration, "%q is no name of an Athena database", options.Database)
		e.Hint = "use lower-case letters, digits and _, beginning with a letter"
		return "", e
	}
	if _, err := time.Parse(time.DateOnly, options.From); err != nil {
		e := fault.New(fault.Configuration, "%q is no date", options.From)
		e.Hint = "write it as 2026-11-21"
		return "", e
	}
	in := func(s string) string { return name(options.Database) + "." + name(s) }
	return render("athena.sql.tmpl", template.FuncMap{
		"view": func(s string) string { return "CREATE OR REPLACE VIEW " + in(s) },
		"from": in,
		"days": func(first, last string) string {
			return fmt.Sprintf("CROSS JOIN UNNEST(sequence(%s, %s)) AS days (as_of_date)", first, last)
		},
		"before": func(day string) string { return fmt.Sprintf("date_add('day', -1, %s)", day) },
		"raw":    func(s string) string { return hiveName(options.Database) + "." + hiveName("raw_"+s) },
		"fields": fields,
		"hive":   hiveText,
		"db":     func() string { return hiveName(options.Database) },
	}, struct {
		Place
		AthenaOptions
	}{place, options})
}

// CheckAthena tells whether Athena can read what lies in a place: in a location it knows no patterns, and in
// partition projection ${ } stands for a column's value.
func CheckAthena(place Place) error {
	if err := place.check(); err != nil {
		return err
	}
	if !place.inBucket() {
		e := fault.New(fault.Configuration, "Athena reads buckets, and the snapshots are in %s", place.Root)
		e.Hint = "give --location s3://BUCKET/PREFIX where a copy of them lies, or use {}"
		e.Commands = []advice.Command{advice.Rollcall("sql", "duckdb")}
		return e
	}
	if strings.ContainsAny(place.Root, `*?[]{}$\`) {
		e := fault.New(fault.Configuration, "Athena can't read what lies below %s", place.Root)
		e.Hint = `it takes * ? [ ] { } $ and a backslash in a location for more than letters: choose another prefix, or read a copy`
		return e
	}
	return nil
}

// fields lists a table's columns as Hive's DDL does.
func fields(t schema.Table) string {
	types := map[string]string{"string": "string", "int64": "bigint", "double": "double", "boolean": "boolean", "timestamp": "timestamp"}
	var lines []string
	for _, c := range t.Columns {
		lines = append(lines, fmt.Sprintf("  %s %s COMMENT %s", hiveName(c.Name), types[c.Type], hiveText(remark(c))))
	}
	return strings.Join(lines, ",\n")
}

// remark is what the catalog says of a column.
func remark(c schema.Column) string {
	said := c.Doc
	if c.Unit != "" {
		said += "; in " + c.Unit
	}
	if c.Null != "" {
		said += "; null " + c.Null
	}
	return said
}

// hiveText is a text in Hive's SQL, which escapes with backslashes.
func hiveText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// hiveName is a name in Hive's SQL.
func hiveName(s string) string { return "`" + s + "`" }
