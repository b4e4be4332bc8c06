package dialect_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rollcall/schema"
	"rollcall/schema/dialect"
	"rollcall/schema/fault"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./schema/dialect -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./schema/dialect -update rewrites it); it is now\n%s", path, got)
	}
}

func lake() dialect.Place {
	return dialect.Place{Root: "s3://acme-audit/im", Region: "ap-southeast-1"}
}

func athena(t *testing.T, place dialect.Place) string {
	t.Helper()
	sql, err := dialect.Athena(place, dialect.AthenaOptions{Database: "rollcall", From: "2026-01-01"})
	if err != nil {
		t.Fatal(err)
	}
	return sql
}

func duckdb(t *testing.T, place dialect.Place) string {
	t.Helper()
	sql, err := dialect.DuckDB(place)
	if err != nil {
		t.Fatal(err)
	}
	return sql
}

func TestTheSQLIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	golden(t, "athena.sql", athena(t, lake()))
	golden(t, "duckdb_local.sql", duckdb(t, dialect.Place{Root: "/srv/rollcall/snapshots"}))
	golden(t, "duckdb_s3.sql", duckdb(t, lake()))
}

func TestASecretNamesThePlaceAndHoldsNone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		place dialect.Place
		want  string
	}{
		{lake(), `SECRET rollcall (TYPE s3, PROVIDER credential_chain, SCOPE 's3://acme-audit/im', REGION 'ap-southeast-1')`},
		{dialect.Place{Root: "s3://acme-audit"}, `SECRET rollcall (TYPE s3, PROVIDER credential_chain, SCOPE 's3://acme-audit')`},
		{dialect.Place{Root: "s3://a/b", Endpoint: "http://127.0.0.1:9000"}, `SCOPE 's3://a/b', ENDPOINT '127.0.0.1:9000', USE_SSL false, URL_STYLE 'path', REGION 'us-east-1')`},
		{dialect.Place{Root: "s3://a.example/b", Region: "eu-1"}, `SCOPE 's3://a.example/b', URL_STYLE 'path', REGION 'eu-1')`},
		{dialect.Place{Root: "s3://a/b", Endpoint: "https://oss-cn-hangzhou.aliyuncs.com", Region: "cn-hangzhou", PathStyle: new(bool)}, `ENDPOINT 'oss-cn-hangzhou.aliyuncs.com', URL_STYLE 'vhost', REGION 'cn-hangzhou')`},
		{dialect.Place{Root: "s3://a/b", Endpoint: "https://minio.internal:9000/", Region: "eu-1"}, `ENDPOINT 'minio.internal:9000', URL_STYLE 'path', REGION 'eu-1')`},
	} {
		if sql := duckdb(t, c.place); !strings.Contains(sql, c.want) {
			t.Errorf("the script of %+v lacks %s", c.place, c.want)
		}
	}
	if sql := duckdb(t, dialect.Place{Root: "/snapshots"}); strings.Contains(sql, "SECRET") || strings.Contains(sql, "httpfs") {
		t.Error("the script of a folder loads what only buckets need")
	}
}

func TestPathsAreQuoted(t *testing.T) {
	t.Parallel()
	const odd = `s3://acme/it's 100% ü`
	for text, want := range map[string][]string{
		athena(t, dialect.Place{Root: odd}): {
			`LOCATION 's3://acme/it\'s 100% ü/memberships/'`, `'s3://acme/it\'s 100% ü/users/snapshot_date=${snapshot_date}'`, `'s3://acme/it''s 100% ü/' || f.path`,
		},
		duckdb(t, dialect.Place{Root: `s3://acme/its 100% ü`}): {`SCOPE 's3://acme/its 100% ü'`, `read_text('s3://acme/its 100% ü/_snapshots/*.json')`},
		duckdb(t, dialect.Place{Root: `/it's 100% ü`}):         {`read_text('/it''s 100% ü/_snapshots/*.json')`},
		duckdb(t, dialect.Place{Root: `/year=2026/t=`}):        {`read_text('/year=2026/t=/_snapshots/*.json')`},
		// what DuckDB would take for a pattern
		duckdb(t, dialect.Place{Root: "/a [1]*?"}): {`read_text('/a [[]1][*][?]/_snapshots/*.json')`, `list('/a [[]1][*][?]/' || f.path`, `'/a [1]*?/' || f.path AS path`},
	} {
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("the SQL lacks %s", part)
			}
		}
	}
}

func TestAPlaceThatCantBeReadIsAFault(t *testing.T) {
	t.Parallel()
	good := dialect.AthenaOptions{Database: "rollcall", From: "2026-01-01"}
	for name, ask := range map[string]func() (string, error){
		"a folder for Athena": func() (string, error) { return dialect.Athena(dialect.Place{Root: "/snapshots"}, good) },
		"a database with a quote": func() (string, error) {
			return dialect.Athena(lake(), dialect.AthenaOptions{Database: "a`b", From: good.From})
		},
		"no date": func() (string, error) {
			return dialect.Athena(lake(), dialect.AthenaOptions{Database: "a", From: "now"})
		},
		"a place of two lines":            func() (string, error) { return dialect.DuckDB(dialect.Place{Root: "/a\n/b"}) },
		"a bucket of two lines":           func() (string, error) { return dialect.Athena(dialect.Place{Root: "s3://a/\nb"}, good) },
		"a bucket that DuckDB can't list": func() (string, error) { return dialect.DuckDB(dialect.Place{Root: "s3://a/it's"}) },
		"a bucket that it misreads":       func() (string, error) { return dialect.DuckDB(dialect.Place{Root: "s3://a/b%20c"}) },
		"no place":                        func() (string, error) { return dialect.DuckDB(dialect.Place{}) },
		"a backslash":                     func() (string, error) { return dialect.DuckDB(dialect.Place{Root: `/back\slash`}) },
		"a backslash in a bucket":         func() (string, error) { return dialect.DuckDB(dialect.Place{Root: `s3://a/back\slash`}) },
		"another date's folder":           func() (string, error) { return dialect.DuckDB(dialect.Place{Root: "/a/snapshot_date=2020-01-01/b"}) },
		"another date's folder in a bucket": func() (string, error) {
			return dialect.DuckDB(dialect.Place{Root: "s3://a/Snapshot_Date=2020-01-01"})
		},
		"a folder named like a column":                   func() (string, error) { return dialect.DuckDB(dialect.Place{Root: "/a/group_id=5"}) },
		"a folder named like what DuckDB says of a file": func() (string, error) { return dialect.DuckDB(dialect.Place{Root: "/a/Filename=x/b"}) },
		"a folder named like a file's text":              func() (string, error) { return dialect.DuckDB(dialect.Place{Root: "/a/content=x"}) },
		"a pattern for Athena":                           func() (string, error) { return dialect.Athena(dialect.Place{Root: "s3://a/b*"}, good) },
		"a backslash for Athena":                         func() (string, error) { return dialect.Athena(dialect.Place{Root: `s3://a/b\c`}, good) },
		"a template for Athena":                          func() (string, error) { return dialect.Athena(dialect.Place{Root: "s3://a/${b}"}, good) },
		"an endpoint of two lines":                       func() (string, error) { return dialect.DuckDB(dialect.Place{Root: "s3://a", Endpoint: "https://x\n"}) },
	} {
		if sql, err := ask(); err == nil || sql != "" || fault.KindOf(err) != fault.Configuration {
			t.Errorf("%s gave %v and %d bytes of SQL", name, err, len(sql))
		}
	}
}

var created = regexp.MustCompile(`(?m)^CREATE (?:OR REPLACE (?:TEMP )?VIEW|EXTERNAL TABLE IF NOT EXISTS) ((?:["\x60]rollcall["\x60]\.)?["\x60](\w+)["\x60])`)

func names(sql string) (views []string) {
	for _, m := range created.FindAllStringSubmatch(sql, -1) {
		if !strings.HasPrefix(m[2], "raw_") {
			views = append(views, m[2])
		}
	}
	return views
}

func TestBothDialectsHaveTheSameViews(t *testing.T) {
	t.Parallel()
	one, other := names(athena(t, lake())), names(duckdb(t, lake()))
	if !slices.Equal(one, other) {
		t.Errorf("Athena has the views\n%v, DuckDB\n%v", one, other)
	}
	for _, table := range schema.Tables() {
		for _, view := range []string{table.Name, table.Name + "_latest", table.Name + "_as_of"} {
			if !slices.Contains(one, view) {
				t.Errorf("there is no view %s", view)
			}
		}
	}
}

// A text that is longer is refused by the Glue catalog, at the user's.
func TestCommentsFitTheCatalog(t *testing.T) {
	t.Parallel()
	for _, m := range regexp.MustCompile(`COMMENT '((?:[^'\\]|\\.)*)'`).FindAllStringSubmatch(athena(t, lake()), -1) {
		if said := strings.ReplaceAll(m[1], `\`, ""); len(said) > 255 {
			t.Errorf("a comment has %d bytes, and the catalog takes 255: %s", len(said), said)
		}
	}
}

func TestStatementsAreWholeAndWithoutComments(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{"athena": athena(t, lake()), "duckdb": duckdb(t, lake())} {
		all := dialect.Statements(sql)
		if want := len(regexp.MustCompile(`(?m);$`).FindAllString(sql, -1)); len(all) != want {
			t.Errorf("%s: %d statements, want %d", name, len(all), want)
		}
		for _, one := range all {
			if !regexp.MustCompile(`^(CREATE|INSTALL|LOAD|SET VARIABLE) `).MatchString(one) || strings.HasSuffix(one, ";") || strings.Contains(one, "\n--") {
				t.Errorf("%s: no statement alone: %s", name, one)
			}
		}
	}
}
