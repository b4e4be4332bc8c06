// Command querybench shows what the order of rows, the row groups and the bloom filters of a snapshot are worth
// to those who query it: the same memberships as Rollcall writes them, without bloom filters, unsorted, and
// both, looked up by group and by user in DuckDB.
//
// It prints, for each layout, how many row groups statistics and bloom filters leave to be read (as DuckDB's
// parquet_metadata and parquet_bloom_probe say), and the median time of a lookup with its ratio to Rollcall's own
// layout in the same run. Times are of this machine with files in the page cache; the counts are not.
package main

import (
	"cmp"
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/parquet-go/parquet-go"

	"rollcall/schema"
	rollcall "rollcall/sinks/parquet"
)

func main() {
	groups := flag.Int("groups", 30_000, "how many `GROUPS` of 100 memberships")
	lookups := flag.Int("lookups", 15, "how many `LOOKUPS` of each kind")
	flag.Parse()
	if err := run(*groups, *lookups); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(groups, lookups int) error {
	dir, err := os.MkdirTemp("", "querybench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	rows := memberships(groups)
	layouts, err := write(dir, rows)
	if err != nil {
		return err
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var version string
	if err := db.QueryRow("SELECT version()").Scan(&version); err != nil {
		return err
	}
	fmt.Printf("%d memberships, DuckDB %s, row groups of %d rows\n", len(rows), version, rollcall.GroupRows)
	for _, column := range []string{"group_id", "user_id"} {
		if err := table(db, layouts, column, keys(rows, column, lookups)); err != nil {
			return err
		}
	}
	return nil
}

// memberships are groups of a hundred users out of ten times as many users as there are groups, in the order
// of a snapshot: each user is in some ten groups, as user IDs fall.
func memberships(groups int) []schema.Membership {
	random := rand.New(rand.NewPCG(1, 2))
	role, yes := "member", true
	rows := make([]schema.Membership, 0, groups*100)
	for g := range groups {
		members := map[int]bool{}
		for len(members) < 100 {
			members[random.IntN(groups*10)] = true
		}
		for u := range members {
			joined := int64(1_700_000_000_000_000) + random.Int64N(1e15)
			rows = append(rows, schema.Membership{Source: "rongcloud.prod", GroupID: fmt.Sprintf("g%08d", g), UserID: fmt.Sprintf("u%x", uint64(u)*0x9E3779B97F4A7C15), Role: &role, RoleRaw: &role, JoinedAt: &joined, InUserView: &yes, InGroupView: &yes})
		}
	}
	slices.SortFunc(rows, func(a, b schema.Membership) int {
		return cmp.Or(strings.Compare(a.GroupID, b.GroupID), strings.Compare(a.UserID, b.UserID))
	})
	return rows
}

// keys picks values of a column that are there.
func keys(rows []schema.Membership, column string, n int) (values []string) {
	random := rand.New(rand.NewPCG(3, 4))
	for range n {
		row := rows[random.IntN(len(rows))]
		values = append(values, map[string]string{"group_id": row.GroupID, "user_id": row.UserID}[column])
	}
	return values
}

// layout is one way to lay the same rows into a file.
type layout struct {
	name, path string
	size       int64
}

func write(dir string, rows []schema.Membership) ([]layout, error) {
	w := rollcall.NewWriter[schema.Membership](dir, schema.Tables()[0], rollcall.Options{RowsPerFile: 1 << 40})
	if err := w.Write(rows); err != nil {
		return nil, err
	}
	files, err := w.Close()
	if err != nil {
		return nil, err
	}
	layouts := []layout{{"as Rollcall writes it", files[0].LocalPath, files[0].Size}}
	shuffled := slices.Clone(rows)
	rand.New(rand.NewPCG(5, 6)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, other := range []struct {
		name  string
		rows  []schema.Membership
		bloom bool
	}{{"sorted, no bloom filters", rows, false}, {"unsorted, bloom filters", shuffled, true}, {"unsorted, no bloom filters", shuffled, false}} {
		l, err := plain(filepath.Join(dir, strings.ReplaceAll(other.name, " ", "_")+".parquet"), other.rows, other.bloom)
		if err != nil {
			return nil, err
		}
		l.name = other.name
		layouts = append(layouts, l)
	}
	return layouts, nil
}

// plain writes rows as they come, in all but their order and the bloom filters as Rollcall does.
func plain(path string, rows []schema.Membership, bloom bool) (layout, error) {
	file, err := os.Create(path)
	if err != nil {
		return layout{}, err
	}
	defer file.Close()
	options := []parquet.WriterOption{parquet.DataPageVersion(1), parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(rollcall.GroupRows), parquet.PageBufferSize(256 << 10)}
	if bloom {
		options = append(options, parquet.BloomFilters(parquet.SplitBlockFilter(10, "group_id"), parquet.SplitBlockFilter(10, "user_id")))
	}
	w := parquet.NewGenericWriter[schema.Membership](file, options...)
	for chunk := range slices.Chunk(rows, 1024) {
		if _, err := w.Write(chunk); err != nil {
			return layout{}, err
		}
	}
	if err := w.Close(); err != nil {
		return layout{}, err
	}
	info, err := file.Stat()
	if err != nil {
		return layout{}, err
	}
	return layout{path: path, size: info.Size()}, nil
}

// figures are what one layout costs, over all lookups.
type figures struct {
	groups        int     // row groups in the file
	byStatistics  float64 // of them, left by minimum and maximum, a lookup
	byBloom       float64 // left by the bloom filter too
	median        time.Duration
	medianAllCols time.Duration
}

func table(db *sql.DB, layouts []layout, column string, values []string) error {
	fmt.Printf("\nlookups by %s (%d):\n", column, len(values))
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "layout\tMiB\trow groups\tleft by min/max\tleft by bloom too\tcount(*)\tratio\tSELECT *\tratio\t")
	var base figures
	for i, l := range layouts {
		f, err := measure(db, l, column, values)
		if err != nil {
			return err
		}
		if i == 0 {
			base = f
		}
		fmt.Fprintf(out, "%s\t%.1f\t%d\t%.1f\t%.1f\t%s\t%.1f\t%s\t%.1f\t\n", l.name, float64(l.size)/(1<<20), f.groups, f.byStatistics, f.byBloom,
			f.median.Round(10*time.Microsecond), ratio(f.median, base.median), f.medianAllCols.Round(10*time.Microsecond), ratio(f.medianAllCols, base.medianAllCols))
	}
	return out.Flush()
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

func measure(db *sql.DB, l layout, column string, values []string) (f figures, err error) {
	from := "read_parquet('" + l.path + "')"
	var counts, stars []time.Duration
	for _, v := range values {
		where := fmt.Sprintf(" WHERE %s = '%s'", column, v)
		var total, left, kept int
		// stats_min and stats_max are the chunk's own; parquet_bloom_probe says which row groups the filter excludes
		if err := db.QueryRow(fmt.Sprintf("SELECT count(*), count(*) FILTER ('%s' BETWEEN stats_min_value AND stats_max_value), count(*) FILTER ('%s' BETWEEN stats_min_value AND stats_max_value AND NOT coalesce(b.bloom_filter_excludes, false)) FROM parquet_metadata('%s') m LEFT JOIN parquet_bloom_probe('%s', '%s', '%s') b USING (row_group_id) WHERE path_in_schema = '%s'",
			v, v, l.path, l.path, column, v, column)).Scan(&total, &left, &kept); err != nil {
			return f, err
		}
		f.groups = total
		f.byStatistics += float64(left) / float64(len(values))
		f.byBloom += float64(kept) / float64(len(values))
		for range 3 {
			took, err := timed(db, "SELECT count(*) FROM "+from+where)
			if err != nil {
				return f, err
			}
			counts = append(counts, took)
			if took, err = timed(db, "SELECT * FROM "+from+where); err != nil {
				return f, err
			}
			stars = append(stars, took)
		}
	}
	slices.Sort(counts)
	slices.Sort(stars)
	f.median, f.medianAllCols = counts[len(counts)/2], stars[len(stars)/2]
	return f, nil
}

func timed(db *sql.DB, query string) (time.Duration, error) {
	begun := time.Now()
	rows, err := db.Query(query)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return time.Since(begun), rows.Err()
}
