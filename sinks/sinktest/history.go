package sinktest

import (
	"encoding/hex"
	"path/filepath"
	"testing"
	"time"

	"rollcall/schema"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
	"rollcall/sinks/parquet"
)

// Tables is what one night of a history holds. Rows must be in the order of their keys.
type Tables struct {
	Memberships   []schema.Membership
	Groups        []schema.Group
	Users         []schema.User
	Outcomes      []schema.KeyOutcome
	Discrepancies []schema.Discrepancy
	Changes       []schema.Change
	Sources       []schema.SourceFigures

	RowsPerFile int64                    // 0: as in production
	Edit        func(*manifest.Manifest) // changes what the manifest claims before it is sealed; may be nil
}

// Seal seals tables as the snapshot of date, with a manifest that continues the sink's chain.
func Seal(t testing.TB, sink sinks.Sink, date string, tables Tables) manifest.Sealed {
	t.Helper()
	files := tables.write(t, t.TempDir())
	m := manifest.Manifest{
		Date: date, Sequence: 1, Tool: "test", SealedAt: manifest.At(time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)),
		Lists: manifest.Lists{}, Outcomes: map[string]map[string]int64{}, Requests: map[string]map[string]manifest.Figures{},
	}
	if chain := must[[]manifest.Sealed](t)(manifest.Chain(t.Context(), sink)); len(chain) > 0 {
		latest := chain[len(chain)-1]
		m.Sequence, m.Previous = latest.Sequence+1, latest.Link()
	}
	path := func(f parquet.File) string { return f.Table + "/snapshot_date=" + date + "/" + f.Name }
	for _, f := range files {
		m.Files = append(m.Files, manifest.File{Path: path(f), Table: f.Table, Size: f.Size, Rows: f.Rows, SHA256: hex.EncodeToString(f.SHA256[:]), MinKey: f.MinKey, MaxKey: f.MaxKey})
	}
	if tables.Edit != nil {
		tables.Edit(&m)
	}
	encoded := must[[]byte](t)(manifest.Encode(m))
	lock := must[sinks.Lock](t)(sink.Lock(t.Context(), sinks.Owner{State: "test", Host: "host", PID: 1, Date: date}))
	defer lock.Release(t.Context())
	staging := must[sinks.Staging](t)(sink.Begin(t.Context(), lock, date, filepath.Join(t.TempDir(), "journal")))
	for _, f := range files {
		if err := staging.Put(t.Context(), path(f), f.LocalPath, f.SHA256); err != nil {
			t.Fatal(err)
		}
	}
	if err := staging.Seal(t.Context(), manifest.Path(date), encoded); err != nil {
		t.Fatal(err)
	}
	return manifest.Sealed{Manifest: must[manifest.Manifest](t)(manifest.Decode(encoded)), Path: manifest.Path(date), Sum: manifest.Sum(encoded)}
}

func (tables Tables) write(t testing.TB, dir string) []parquet.File {
	t.Helper()
	options := parquet.Options{RowsPerFile: tables.RowsPerFile}
	var files []parquet.File
	for _, more := range [][]parquet.File{
		writeTable(t, dir, tables.Memberships, options), writeTable(t, dir, tables.Groups, options),
		writeTable(t, dir, tables.Users, options), writeTable(t, dir, tables.Outcomes, options),
		writeTable(t, dir, tables.Discrepancies, options), writeTable(t, dir, tables.Changes, options),
		writeTable(t, dir, tables.Sources, options),
	} {
		files = append(files, more...)
	}
	return files
}

func writeTable[Row any](t testing.TB, dir string, rows []Row, options parquet.Options) []parquet.File {
	t.Helper()
	w := parquet.NewWriter[Row](dir, schema.TableOf[Row](), options)
	if err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	return must[[]parquet.File](t)(w.Close())
}
