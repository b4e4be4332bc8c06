package cli

import (
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"rollcall/pipeline/job"
	"rollcall/schema/advice"
	"rollcall/schema/dialect"
)

const aboutSQL = `Prints ready SQL over the snapshots in the sink: the seven tables as views that show sealed
snapshots alone, and views for the usual questions: NAME_latest and NAME_as_of of each table,
owners_and_admins, groups_of_user, groups_without_owner, empty_groups, membership_history. Asks nobody, reads
no snapshot and needs no secrets.`

const aboutDuckDB = `Prints a script that makes the views in DuckDB. It is plain SQL, for any client:

  rollcall sql duckdb > rollcall.sql
  duckdb --init rollcall.sql

What is sealed is read when the script is run. Data files that no sealed manifest names are never
opened. Of a bucket it needs DuckDB's extensions httpfs and aws, and finds credentials as the AWS
SDK does.`

const aboutAthena = `Prints the DDL of tables and views for Athena: partitions are projected from the date, so that there
is no crawler and nothing to repair after a night. Query the views; the tables called raw_ see
every file, sealed or not. Athena carries out one statement at a time: --json gives them as a list,
each to be started when the one before it has ended. Running them again changes nothing.`

// sqlAnswer is SQL as a script reads it.
type sqlAnswer struct {
	Statements []string `json:"statements"`
}

func (a *app) sqlCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sql",
		Short: "print ready SQL over the snapshots, for Athena or DuckDB",
		Long:  aboutSQL,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misusedSo(dialects(), "rollcall sql needs a dialect")
			}
			return misusedSo(dialects(), "there is no SQL for %q", args[0])
		},
	}
	cmd.AddCommand(a.sqlAthenaCommand(), a.sqlDuckDBCommand())
	return cmd
}

func (a *app) sqlDuckDBCommand() *cobra.Command {
	var location string
	cmd := &cobra.Command{
		Use:   "duckdb",
		Short: "print a script for DuckDB",
		Long:  aboutDuckDB,
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			place, err := a.place(location)
			if err != nil {
				return err
			}
			sql, err := dialect.DuckDB(place)
			if err != nil {
				return err
			}
			return a.printSQL(sql)
		},
	}
	locationFlag(cmd, &location)
	return cmd
}

func (a *app) sqlAthenaCommand() *cobra.Command {
	var location string
	var options dialect.AthenaOptions
	cmd := &cobra.Command{
		Use:   "athena",
		Short: "print the DDL of tables and views for Athena",
		Long:  aboutAthena,
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			place, err := a.place(location)
			if err != nil {
				return err
			}
			if place.Endpoint != "" && !ofAWS.MatchString(place.Endpoint) {
				a.talk.Printer().Printf("Note: Athena reads buckets of AWS, and not those of %s.\n", place.Endpoint)
			}
			sql, err := dialect.Athena(place, options)
			if err != nil {
				return err
			}
			return a.printSQL(sql)
		},
	}
	locationFlag(cmd, &location)
	cmd.Flags().StringVar(&options.Database, "database", "rollcall", "make tables and views in the database `NAME`")
	cmd.Flags().StringVar(&options.From, "from", "2020-01-01", "the first snapshot date that can be seen, as `YYYY-MM-DD`; a later one spares Athena looking for days that are not there")
	return cmd
}

func locationFlag(cmd *cobra.Command, location *string) {
	cmd.Flags().StringVar(location, "location", "", "read the snapshots at `s3://BUCKET/PREFIX`, where they lie elsewhere than in the sink configured")
}

var (
	ofAWS  = regexp.MustCompile(`^https://[^/]*\.amazonaws\.com(\.cn)?(:\d+)?/?$`)
	bucket = regexp.MustCompile(`^s3://[^/]+(/.*)?$`)
)

// place is where snapshots are to be read.
func (a *app) place(location string) (dialect.Place, error) {
	j, err := a.load(false)
	if err != nil {
		return dialect.Place{}, err
	}
	place := placeOf(j.Sink)
	if location == "" {
		return place, nil
	}
	if !bucket.MatchString(location) {
		return dialect.Place{}, misused("write it as s3://BUCKET/PREFIX", "--location %q is no place in a bucket", location)
	}
	place.Root = strings.TrimRight(location, "/")
	return place, nil
}

func placeOf(sink job.Sink) dialect.Place {
	if sink.S3 == nil {
		return dialect.Place{Root: sink.Local.Path}
	}
	return dialect.Place{Root: strings.TrimRight("s3://"+sink.S3.Bucket+"/"+sink.S3.Prefix, "/"), Region: sink.S3.Region, Endpoint: sink.S3.Endpoint, PathStyle: sink.S3.PathStyle}
}

// printSQL prints the script, or its statements for a client that takes one at a time.
func (a *app) printSQL(sql string) error {
	if a.flags.json {
		return a.answer(sqlAnswer{Statements: dialect.Statements(sql)})
	}
	_, err := io.WriteString(a.out.Raw(), sql)
	return err
}

// dialects is what to type for SQL.
func dialects() advice.Advice {
	return advice.Say("type {} or {}", advice.Rollcall("sql", "duckdb"), advice.Rollcall("sql", "athena"))
}
