package verify_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	vendor "github.com/parquet-go/parquet-go"

	"rollcall/pipeline/verify"
	"rollcall/schema"
	"rollcall/sinks/manifest"
	"rollcall/sinks/parquet"
)

// want is one finding that must be told: its kind, and what its path and message begin with or hold.
type want struct {
	kind          verify.Kind
	path, message string
}

// check fails unless the report has all that is wanted, and nothing of another kind.
func check(t *testing.T, report verify.Report, wanted ...want) {
	t.Helper()
	kinds := map[verify.Kind]bool{}
	for _, w := range wanted {
		kinds[w.kind] = true
		if !slices.ContainsFunc(report.Findings, func(f verify.Finding) bool {
			return f.Kind == w.kind && f.Path == w.path && strings.Contains(f.Message, w.message)
		}) {
			t.Errorf("nobody found: %s %s %q", w.kind, w.path, w.message)
		}
	}
	for _, f := range report.Findings {
		if !kinds[f.Kind] || t.Failed() {
			t.Errorf("found: %s %s: %s", f.Kind, f.Path, f.Message)
		}
	}
}

// rewrite writes a file of one table anew with other rows, in whatever order they are.
func rewrite[Row any](t *testing.T, h *history, path string, change func([]Row) []Row) {
	t.Helper()
	var rows []Row
	for row, err := range parquet.ReadFile[Row](filepath.Join(h.root, path)) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, *row)
	}
	var sorting []vendor.SortingColumn
	for _, column := range schema.TableOf[Row]().Key() {
		sorting = append(sorting, vendor.Ascending(column))
	}
	var encoded bytes.Buffer
	w := vendor.NewGenericWriter[Row](&encoded, vendor.SortingWriterConfig(vendor.SortingColumns(sorting...)))
	if _, err := w.Write(change(rows)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	h.write(t, path, encoded.Bytes())
}

// refit makes the manifest of date claim the size and hash that a file has now.
func (h *history) refit(t *testing.T, date, path string) {
	t.Helper()
	content := h.read(t, path)
	sum := sha256.Sum256(content)
	h.edit(t, date, func(m *manifest.Manifest) {
		for i := range m.Files {
			if m.Files[i].Path == path {
				m.Files[i].Size, m.Files[i].SHA256 = int64(len(content)), hex.EncodeToString(sum[:])
			}
		}
	})
}

// forge is rewrite, refitted so that hashes and chain agree again.
func forge[Row any](t *testing.T, h *history, date string, change func([]Row) []Row) {
	t.Helper()
	path := part(schema.TableOf[Row]().Name, date)
	rewrite(t, h, path, change)
	h.refit(t, date, path)
	h.relink(t, date)
}

func dropFirst[Row any](rows []Row) []Row { return rows[1:] }

func first[Row any](change func(*Row)) func([]Row) []Row {
	return func(rows []Row) []Row {
		change(&rows[0])
		return rows
	}
}

func folder(table, date string) string { return table + "/snapshot_date=" + date + "/" }

func TestWhatANastyWorldSealedIsWhole(t *testing.T) {
	t.Parallel()
	h := simulate(t, true, "2026-11-20", "2026-11-21", "2026-11-20") // the first date is replaced
	report := h.verified(t, nil)
	check(t, report)
	if report.Chain.Manifests != 3 || report.Chain.Replaced != 1 || report.Listed != 14 || len(report.Notes) > 0 {
		t.Errorf("%+v", report)
	}
}

// TestEveryKindOfTamperingIsCaughtAndNamed does one thing after the other to copies of one history.
func TestEveryKindOfTamperingIsCaughtAndNamed(t *testing.T) {
	t.Parallel()
	h := simulate(t, false, nights()...)
	const night, newest = "2026-11-21", "2026-11-24"
	kept := manifest.Sum(h.read(t, manifest.Path(newest)))
	for name, test := range map[string]func(*testing.T, *history){
		"the whole history":             func(t *testing.T, h *history) { wholeHistory(t, h, kept) },
		"a flipped bit":                 flippedBits,
		"a cut, longer or missing file": resizedFiles,
		"files swapped": func(t *testing.T, h *history) {
			a, b := part("memberships", night), part("memberships", newest)
			was := h.read(t, a)
			h.write(t, a, h.read(t, b))
			h.write(t, b, was)
			check(t, h.verified(t, nil), want{verify.Swapped, a, b}, want{verify.Swapped, b, a})
		},
		"a file too many": func(t *testing.T, h *history) {
			extra, elsewhere := folder("groups", night)+"part-00001.parquet", folder("groups", "2026-12-01")+"part-00000.parquet"
			h.write(t, extra, h.read(t, part("groups", night)))
			h.write(t, elsewhere, []byte("x"))
			report := h.verified(t, nil)
			check(t, report, want{verify.Extra, extra, "no manifest names"}, want{verify.Extra, elsewhere, "1 file of 2026-12-01, of which this is the first"})
		},
		"a file with its hash": func(t *testing.T, h *history) {
			rewrite(t, h, part("groups", night), first(func(g *schema.Group) { g.Name = new(string) }))
			h.refit(t, night, part("groups", night))
			check(t, h.verified(t, nil), want{verify.Resealed, manifest.Path(night), "was altered, or sealed again since"})
		},
		"a file, its hash, and all manifests since": func(t *testing.T, h *history) {
			forge(t, h, night, first(func(g *schema.Group) { g.Name = new(string) }))
			check(t, h.verified(t, nil)) // whoever can write the bucket can write all of it: only a kept hash shows it
			check(t, h.verified(t, func(o *verify.Options) { o.Head = kept }), want{verify.Unproved, "_snapshots/", kept})
		},
		"a manifest removed": func(t *testing.T, h *history) {
			h.remove(t, manifest.Path(night))
			check(t, h.verified(t, nil), want{verify.Removed, manifest.Path(night), "sequence 2 is not there"})
			check(t, h.verified(t, func(o *verify.Options) { o.All, o.Date = false, night }),
				want{verify.Removed, manifest.Path(night), "between _snapshots/2026-11-20.json and _snapshots/2026-11-22.json"}, want{verify.Missing, manifest.Path(night), "no manifest seals"})
		},
		"nights removed whole": func(t *testing.T, h *history) {
			h.removeNight(t, night)
			check(t, h.verified(t, nil), want{verify.Removed, manifest.Path(night), "sequence 2 is not there"})
			h.removeNight(t, "2026-11-22")
			check(t, h.verified(t, nil), want{verify.Removed, manifest.Path("2026-11-22"), "sequences 2 to 3, of which this is the last"})
		},
		"the newest night removed": func(t *testing.T, h *history) {
			h.removeNight(t, newest)
			check(t, h.verified(t, nil)) // only a kept hash shows it
			check(t, h.verified(t, func(o *verify.Options) { o.Head = kept }), want{verify.Unproved, "_snapshots/", "the newest nights were taken away"})
		},
		"a manifest under another date": func(t *testing.T, h *history) {
			h.write(t, manifest.Path("2026-11-30"), h.read(t, manifest.Path(night)))
			h.remove(t, manifest.Path(night))
			check(t, h.verified(t, nil), want{verify.Misplaced, manifest.Path("2026-11-30"), "under the name of 2026-11-30"})
		},
		"a fork": func(t *testing.T, h *history) {
			m := h.manifest(t, newest)
			m.Date, m.Files = "2026-11-25", nil
			h.write(t, manifest.Path("2026-11-25"), encoded(t, m))
			report := h.verified(t, func(o *verify.Options) { o.All, o.Date = false, night })
			check(t, report, want{verify.Forked, manifest.Path("2026-11-25"), "claims sequence 6"}, want{verify.Figures, manifest.Path("2026-11-25"), "no file of the table users"})
		},
		"a manifest that is none": func(t *testing.T, h *history) {
			h.write(t, manifest.Path(night), []byte("{}\n"))
			h.write(t, "_snapshots/notes.json", []byte("{}\n"))
			check(t, h.verified(t, nil), want{verify.Altered, manifest.Path(night), "can't be read as a manifest"}, want{verify.Extra, "_snapshots/notes.json", "is no date"})
		},
		"a manifest with blanks": func(t *testing.T, h *history) {
			h.write(t, manifest.Path(newest), bytes.Replace(h.read(t, manifest.Path(newest)), []byte(`,"date"`), []byte(`, "date"`), 1))
			check(t, h.verified(t, nil), want{verify.Altered, manifest.Path(newest), "not written as Rollcall writes"})
		},
		"a manifest without what later versions added": func(t *testing.T, h *history) {
			line := h.read(t, manifest.Path(newest))
			from, to := bytes.Index(line, []byte(`,"roles"`)), bytes.Index(line, []byte(`,"ownership"`))
			if from < 0 || to < from {
				t.Fatalf("no roles in %s", line)
			}
			h.write(t, manifest.Path(newest), slices.Delete(line, from, to))
			check(t, h.verified(t, nil))
		},
		"the old end":     prunedHistory,
		"a replaced date": replacedDate,
		"rows":            func(t *testing.T, h *history) { forgedRows(t, h, night) },
		"figures":         func(t *testing.T, h *history) { forgedFigures(t, h, night) },
		"a share of the files": func(t *testing.T, h *history) {
			report := h.verified(t, func(o *verify.Options) { o.Share = 0.3 })
			again := h.verified(t, func(o *verify.Options) { o.Share = 0.3 })
			check(t, report)
			if report.Files < 4 || report.Files > 25 || report.Files != again.Files || report.Bytes != again.Bytes || report.Listed != 42 {
				t.Errorf("of 42 files %d were read, then %d", report.Files, again.Files)
			}
			if report := h.verified(t, func(o *verify.Options) { o.Share = 1e-9 }); report.Files != 1 {
				t.Errorf("of a tiny share %d files were read", report.Files)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h.copied(t))
		})
	}
}

func wholeHistory(t *testing.T, h *history, kept string) {
	report := h.verified(t, func(o *verify.Options) { o.Head = kept })
	check(t, report)
	if len(report.Notes) > 0 || report.Chain.Manifests != 6 || report.Listed != 42 || report.Files != 42 || report.Share != 1 || len(report.Dates) != 6 || report.Chain.Proved != 6 || report.Chain.From != 1 {
		t.Errorf("%+v", report)
	}
	old := manifest.Sum(h.read(t, manifest.Path("2026-11-22")))
	if report := h.verified(t, func(o *verify.Options) { o.All, o.Head = false, old }); report.Chain.Proved != 3 || report.Files != 7 || !slices.Equal(report.Dates, []string{"2026-11-24"}) {
		t.Errorf("an older hash: %+v", report)
	}
}

func encoded(t *testing.T, m manifest.Manifest) []byte {
	t.Helper()
	line, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// flippedBits flips one bit at several places of every file of a night in the middle.
func flippedBits(t *testing.T, h *history) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, path := range h.paths(t) {
		if !strings.Contains(path, "2026-11-22") {
			continue
		}
		was := h.read(t, path)
		for _, at := range []int{0, len(was) - 6, random.IntN(len(was)), random.IntN(len(was)), random.IntN(len(was))} {
			bad := slices.Clone(was)
			bad[at] ^= 1 << random.IntN(8)
			h.write(t, path, bad)
			report := h.verified(t, func(o *verify.Options) { o.All, o.Date = false, "2026-11-22" })
			named := slices.ContainsFunc(report.Findings, func(f verify.Finding) bool {
				manifested := strings.HasPrefix(path, "_snapshots/")
				return f.Path == path && (f.Kind == verify.Altered || manifested && f.Kind == verify.Resealed) || manifested && f.Kind == verify.Removed
			})
			if !named {
				t.Errorf("%s with a bit flipped at %d of %d: %+v", path, at, len(was), report.Findings)
			}
		}
		h.write(t, path, was)
	}
}

// resizedFiles cuts, lengthens and removes every file, read and unread.
func resizedFiles(t *testing.T, h *history) {
	for _, read := range []string{"2026-11-22", "2026-11-24"} {
		for _, table := range schema.Tables() {
			path := part(table.Name, "2026-11-22")
			was := h.read(t, path)
			only := func(o *verify.Options) { o.All, o.Date = false, read }
			h.write(t, path, was[:len(was)/2])
			check(t, h.verified(t, only), want{verify.Truncated, path, fmt.Sprintf("sealed with %d", len(was))})
			h.write(t, path, append(slices.Clone(was), "more"...))
			check(t, h.verified(t, only), want{verify.Altered, path, fmt.Sprintf("%d bytes, and was sealed with %d", len(was)+4, len(was))})
			h.remove(t, path)
			check(t, h.verified(t, only), want{verify.Missing, path, "is not there"})
			h.write(t, path, was)
		}
	}
}

// prunedHistory loses its two oldest nights, first one of them.
func prunedHistory(t *testing.T, h *history) {
	from := func(date string) func(*verify.Options) { return func(o *verify.Options) { o.From = date } }
	h.removeNight(t, "2026-11-20")
	check(t, h.verified(t, nil), want{verify.Removed, manifest.Path("2026-11-20"), "--from DATE"})
	report := h.verified(t, from("2026-11-21"))
	check(t, report)
	if report.Chain.Pruned != 1 || len(report.Notes) != 1 || !strings.Contains(report.Notes[0], "history before 2026-11-21 was pruned") {
		t.Errorf("%+v", report)
	}
	h.removeNight(t, "2026-11-19") // sealed as the fourth
	check(t, h.verified(t, from("2026-11-21")))
	check(t, h.verified(t, from("2026-11-19")), want{verify.Removed, manifest.Path("2026-11-20"), "not older than --from"}, want{verify.Removed, manifest.Path("2026-11-19"), "sequence 4"})
	if err := os.RemoveAll(filepath.Join(h.root, "memberships/snapshot_date=2026-11-21")); err != nil {
		t.Fatal(err)
	}
	check(t, h.verified(t, from("2026-11-21")), want{verify.Missing, part("memberships", "2026-11-21"), "is not there"})
	check(t, h.verified(t, from("2026-11-22")))
}

// replacedDate seals a date anew, as a run that replaces it does, and then takes away what it replaced.
func replacedDate(t *testing.T, h *history) {
	const date, newest = "2026-11-22", "2026-11-24"
	old, line := h.manifest(t, date), h.read(t, manifest.Path(date))
	aside := manifest.ReplacedPath(date, old.Sequence)
	h.write(t, aside, line)
	report := h.verified(t, nil) // stopped between the copy and the removal: the date is as sealed as it was
	check(t, report)
	if len(report.Notes) != 1 || !strings.Contains(report.Notes[0], "is a copy of the manifest that still seals "+date) || report.Chain.Manifests != 6 || report.Chain.Replaced != 0 {
		t.Errorf("%+v", report)
	}
	h.remove(t, manifest.Path(date))
	report = h.verified(t, func(o *verify.Options) { o.All, o.Date = false, newest })
	check(t, report, want{verify.Removed, aside, "none replaces it"})

	again := old
	again.Sequence, again.Previous = 7, &manifest.Link{Path: manifest.Path(newest), SHA256: manifest.Sum(h.read(t, manifest.Path(newest)))}
	again.Replaces = &manifest.Link{Path: aside, SHA256: manifest.Sum(line)}
	h.write(t, manifest.Path(date), encoded(t, again))
	report = h.verified(t, func(o *verify.Options) { o.Head = manifest.Sum(line) })
	check(t, report)
	if report.Chain.Manifests != 7 || report.Chain.Replaced != 1 || report.Chain.Proved != 3 || report.Chain.Last != 7 || report.Listed != 42 {
		t.Errorf("%+v", report.Chain)
	}
	h.write(t, manifest.ReplacedPath(date, 2), line)
	h.remove(t, aside)
	check(t, h.verified(t, nil), want{verify.Misplaced, manifest.ReplacedPath(date, 2), "lies under another's name"})
	h.remove(t, manifest.ReplacedPath(date, 2))
	check(t, h.verified(t, nil), want{verify.Removed, aside, "replaces it, and it is not there"}, want{verify.Removed, manifest.Path(date), "sequence 3 is not there"})
}
