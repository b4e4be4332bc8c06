package snapshot_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/goleak"

	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/local"
	"rollcall/sinks/manifest"
	"rollcall/sinks/parquet"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is one empty sink and a way to tamper with it.
type place struct {
	sink   sinks.Sink
	write  func(t *testing.T, path string, content []byte)
	remove func(t *testing.T, path string)
}

// everywhere runs the test on each kind of sink.
func everywhere(t *testing.T, test func(t *testing.T, p place)) {
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		root := filepath.Join(t.TempDir(), "snapshots")
		sink, err := local.Open(local.Config{Path: root, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		test(t, place{sink,
			func(t *testing.T, path string, content []byte) {
				if err := os.WriteFile(filepath.Join(root, path), content, 0o644); err != nil {
					t.Fatal(err)
				}
			},
			func(t *testing.T, path string) {
				if err := os.Remove(filepath.Join(root, path)); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
	t.Run("s3", func(t *testing.T) {
		t.Parallel()
		bucket := &sinktest.Bucket{Name: "audit"}
		sink, err := s3.Open(t.Context(), s3.Config{
			Bucket: "audit", Prefix: "im", Region: "eu-central-1", Endpoint: "http://s3.test", HTTP: bucket,
			Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""), Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		test(t, place{sink,
			func(_ *testing.T, path string, content []byte) { bucket.Put("im/"+path, content) },
			func(_ *testing.T, path string) { bucket.Delete("im/" + path) },
		})
	})
}

// members are so many memberships of 7 users a group, in two sources.
func members(n int) []schema.Membership {
	rows := make([]schema.Membership, n)
	for i := range rows {
		rows[i] = schema.Membership{Source: "rongcloud.prod", GroupID: fmt.Sprintf("g%04d", i/7), UserID: fmt.Sprintf("u%02d", i%7*11)}
		if i >= n/2 {
			rows[i].Source = "tencentchat.intl"
		}
	}
	return rows
}

// rowsPerFile makes several parts of a thousand rows.
const rowsPerFile = 300

func seal(t *testing.T, p place, date string, tables sinktest.Tables) *snapshot.Snapshot {
	t.Helper()
	tables.RowsPerFile = rowsPerFile
	sealed := sinktest.Seal(t, p.sink, date, tables)
	s, err := snapshot.Open(t.Context(), p.sink, date)
	if err != nil {
		t.Fatal(err)
	}
	if s.Sum != sealed.Sum || s.Date != date {
		t.Fatalf("opened %s %s, sealed %s %s", s.Date, s.Sum, date, sealed.Sum)
	}
	return s
}

func pairOf(m *schema.Membership) string { return m.Source + " " + m.GroupID + " " + m.UserID }

func collect(seq iter.Seq2[*schema.Membership, error]) (pairs []string, err error) {
	for row, err := range seq {
		if err != nil {
			return pairs, err
		}
		pairs = append(pairs, pairOf(row))
	}
	return pairs, nil
}

func wanted(rows []schema.Membership, where ...parquet.Equal) (pairs []string) {
	for i := range rows {
		values := map[string]string{"source": rows[i].Source, "group_id": rows[i].GroupID, "user_id": rows[i].UserID}
		if !slices.ContainsFunc(where, func(e parquet.Equal) bool { return values[e.Column] != e.Value }) {
			pairs = append(pairs, pairOf(&rows[i]))
		}
	}
	return pairs
}

func TestATableOfSeveralPartsIsReadInTheOrderOfItsKey(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		rows := members(1000)
		s := seal(t, p, "2026-11-21", sinktest.Tables{Memberships: rows})
		if !slices.ContainsFunc(s.Files, func(f manifest.File) bool {
			return f.Path == "memberships/snapshot_date=2026-11-21/part-00003.parquet"
		}) {
			t.Fatal("the table has fewer than four parts: the test shows nothing")
		}
		got, err := collect(snapshot.Rows[schema.Membership](t.Context(), s))
		if err != nil || !slices.Equal(got, wanted(rows)) {
			t.Errorf("%d rows of %d, %v", len(got), len(rows), err)
		}
		if n := s.RowsOf("memberships"); n != 1000 {
			t.Errorf("%d rows by the manifest", n)
		}
		for row, err := range snapshot.Rows[schema.Group](t.Context(), s) {
			t.Errorf("an empty table gives %v, %v", row, err)
		}
		for range snapshot.Rows[schema.Membership](t.Context(), s) {
			break // leaving early is allowed
		}
	})
}

func TestFindGivesTheRowsThatAFullReadWouldAndOpensNoOtherPart(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		rows := members(1000)
		s := seal(t, p, "2026-11-21", sinktest.Tables{Memberships: rows})
		for _, where := range [][]parquet.Equal{
			nil,
			{{Column: "user_id", Value: "u33"}},
			{{Column: "group_id", Value: "g0042"}},
			{{Column: "source", Value: "tencentchat.intl"}},
			{{Column: "source", Value: "tencentchat.intl"}, {Column: "user_id", Value: "u66"}},
			{{Column: "group_id", Value: "g0042"}, {Column: "source", Value: "rongcloud.prod"}},
			{{Column: "source", Value: "rongcloud.prod"}, {Column: "group_id", Value: "g0071"}}, // it goes over two sources
			{{Column: "source", Value: "rongcloud.prod"}, {Column: "group_id", Value: "g0001"}, {Column: "user_id", Value: "u11"}},
			{{Column: "source", Value: "rongcloud.prod"}, {Column: "group_id", Value: "g0001"}, {Column: "user_id", Value: "u12"}},
			{{Column: "source", Value: "aaa"}}, {{Column: "source", Value: "zzz"}},
		} {
			got, err := collect(snapshot.Find[schema.Membership](t.Context(), s, where...))
			if err != nil || !slices.Equal(got, wanted(rows, where...)) {
				t.Errorf("%v: %d rows, want %d, %v", where, len(got), len(wanted(rows, where...)), err)
			}
		}

		// The other parts are not opened: they could not be.
		source, group := parquet.Equal{Column: "source", Value: "rongcloud.prod"}, parquet.Equal{Column: "group_id", Value: "g0001"}
		for _, f := range s.Files {
			if f.Table == "memberships" && !strings.HasSuffix(f.Path, "part-00000.parquet") {
				p.remove(t, f.Path)
			}
		}
		got, err := collect(snapshot.Find[schema.Membership](t.Context(), s, source, group))
		if err != nil || !slices.Equal(got, wanted(rows, source, group)) {
			t.Errorf("with the first part alone: %q, %v", got, err)
		}
		group.Value = "g0050"
		if got, err := collect(snapshot.Find[schema.Membership](t.Context(), s, source, group)); err == nil {
			t.Errorf("the part with %s is missing, and %d rows are found", group.Value, len(got))
		}
	})
}

func TestAFileThatIsNotAsItsManifestSaysIsAFaultThatNamesIt(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		tables := sinktest.Tables{Memberships: members(1000)}
		part := func(date string) string { return "memberships/snapshot_date=" + date + "/part-00002.parquet" }
		content := func(date string) []byte {
			r, err := p.sink.Open(t.Context(), part(date))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			all, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		for i, c := range []struct {
			name, message string
			tamper        func(date string)
			edit          func(*manifest.Manifest)
			before        int // rows that are given all the same
			find          bool
		}{
			{name: "missing", message: "is missing, although the manifest of", tamper: func(date string) { p.remove(t, part(date)) }, before: 600, find: true},
			{name: "longer", message: "bytes, its manifest says", tamper: func(date string) { p.write(t, part(date), append(content(date), 0)) }, before: 600, find: true},
			{name: "cut", message: "bytes, its manifest says", tamper: func(date string) { p.write(t, part(date), content(date)[1:]) }, before: 600, find: true},
			{name: "no Parquet", message: "read a Parquet file", tamper: func(date string) { p.write(t, part(date), make([]byte, len(content(date)))) }, before: 600, find: true},
			{name: "other rows", message: "has 300 rows, its manifest says 301", edit: func(m *manifest.Manifest) {
				for i := range m.Files {
					if m.Files[i].Path == part(m.Date) {
						m.Files[i].Rows++
					}
				}
			}, before: 900},
		} {
			date := fmt.Sprintf("2026-11-%02d", i+1)
			tables.Edit = c.edit
			s := seal(t, p, date, tables)
			if c.tamper != nil {
				c.tamper(date)
			}
			got, err := collect(snapshot.Rows[schema.Membership](t.Context(), s))
			if err == nil || fault.KindOf(err) != fault.Bug || !strings.Contains(err.Error(), c.message) || !strings.Contains(err.Error(), p.sink.URL(part(date))) {
				t.Errorf("%s: %v", c.name, err)
			}
			if want := "`rollcall verify " + date + "` tells what else is wrong"; fault.HintOf(errors.Unwrap(err)) != want {
				t.Errorf("%s: the advice is %q", c.name, fault.HintOf(errors.Unwrap(err)))
			}
			if len(got) != c.before {
				t.Errorf("%s: %d rows are given, want %d", c.name, len(got), c.before)
			}
			if !c.find {
				continue
			}
			if _, err := collect(snapshot.Find[schema.Membership](t.Context(), s, parquet.Equal{Column: "user_id", Value: "u11"})); err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("%s, found by user: %v", c.name, err)
			}
		}
	})
}

func TestDatesAreOpenedByNameAndByOrder(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		_, err := snapshot.Open(t.Context(), p.sink, "")
		wantMissing(t, err, "no snapshot is sealed in "+p.sink.String()+" yet")
		for _, date := range []string{"2026-11-20", "2026-11-23", "2026-11-21"} { // sealed in another order
			seal(t, p, date, sinktest.Tables{})
			if date == "2026-11-20" {
				_, err := snapshot.Open(t.Context(), p.sink, "2026-11-19")
				wantMissing(t, err, "no snapshot of 2026-11-19 is sealed in "+p.sink.String()+"; there is one of 2026-11-20")
			}
		}
		dates, err := snapshot.Dates(t.Context(), p.sink)
		if err != nil || !slices.Equal(dates, []string{"2026-11-20", "2026-11-21", "2026-11-23"}) {
			t.Errorf("%v, %v", dates, err)
		}
		if s, err := snapshot.Open(t.Context(), p.sink, ""); err != nil || s.Date != "2026-11-23" {
			t.Errorf("the latest is %v, %v", s, err)
		}
		_, err = snapshot.Open(t.Context(), p.sink, "2026-11-22")
		wantMissing(t, err, "no snapshot of 2026-11-22 is sealed in "+p.sink.String()+"; there are 3, from 2026-11-20 to 2026-11-23, the nearest 2026-11-21 and 2026-11-23")
		for date, want := range map[string]string{"2026-11-20": "", "2026-01-01": "", "2026-11-21": "2026-11-20", "2026-11-22": "2026-11-21", "2026-11-23": "2026-11-21", "2027-01-01": "2026-11-23"} {
			base, err := snapshot.Before(t.Context(), p.sink, date)
			if got := dateOf(base); err != nil || got != want {
				t.Errorf("before %s: %q, want %q, %v", date, got, want, err)
			}
		}
	})
}

func dateOf(s *snapshot.Snapshot) string {
	if s == nil {
		return ""
	}
	return s.Date
}

func wantMissing(t *testing.T, err error, text string) {
	t.Helper()
	if missing, ok := errors.AsType[*snapshot.MissingError](err); !ok || missing.Error() != text {
		t.Errorf("%v, want %s", err, text)
	}
}

// failing is a sink that goes away after so many requests.
type failing struct {
	sinks.Sink
	left int
}

func (f *failing) use() error {
	if f.left--; f.left < 0 {
		return &fault.Error{Kind: fault.Transient, Message: "the bucket does not answer", Hint: "run it again"}
	}
	return nil
}

func (f *failing) OpenAt(ctx context.Context, path string) (sinks.File, error) {
	if err := f.use(); err != nil {
		return nil, err
	}
	file, err := f.Sink.OpenAt(ctx, path)
	return failingFile{file, f}, err
}

type failingFile struct {
	sinks.File
	sink *failing
}

func (f failingFile) ReadAt(p []byte, at int64) (int, error) {
	if err := f.sink.use(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

func TestASinkThatGoesAwayIsNoAlteredFile(t *testing.T) {
	t.Parallel()
	disk, err := local.Open(local.Config{Path: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	sink := &failing{Sink: disk}
	s := seal(t, place{sink: sink}, "2026-11-21", sinktest.Tables{Memberships: members(1000)})
	for name, read := range map[string]func() ([]string, error){
		"Rows": func() ([]string, error) { return collect(snapshot.Rows[schema.Membership](t.Context(), s)) },
		"Find": func() ([]string, error) {
			return collect(snapshot.Find[schema.Membership](t.Context(), s, parquet.Equal{Column: "user_id", Value: "u11"}))
		},
	} {
		failures := 0
		for ; ; failures++ {
			sink.left = failures
			_, err := read()
			if err == nil {
				break
			}
			if kind := fault.KindOf(err); kind != fault.Transient || fault.HintOf(err) != "run it again" {
				t.Fatalf("%s: the sink goes away after %d requests: %v: %v", name, failures, kind, err)
			}
		}
		if failures < 8 {
			t.Errorf("%s reads all with %d requests: the test shows nothing", name, failures)
		}
	}
}

func TestACancelledReadEndsWithItsCause(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		s := seal(t, p, "2026-11-21", sinktest.Tables{Memberships: members(1000)})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		var last error
		for _, err := range snapshot.Rows[schema.Membership](ctx, s) {
			if last = err; err == nil {
				n++
			}
			cancel()
		}
		if !errors.Is(last, context.Canceled) || n > rowsPerFile {
			t.Errorf("%d rows, then %v", n, last)
		}
	})
}
