package manifest_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
)

func sample() manifest.Manifest {
	base, before, without := "2026-11-20", int64(1121), int64(1)
	return manifest.Manifest{
		Date: "2026-11-21", Sequence: 2, Tool: "1.0.0", ExitCode: 3,
		Previous:      &manifest.Link{Path: "_snapshots/2026-11-20.json", SHA256: strings.Repeat("ab", 32)},
		SealedAt:      manifest.At(time.Date(2026, 11, 21, 3, 4, 5, 678901234, time.UTC)),
		AskedFrom:     manifest.At(time.Date(2026, 11, 21, 3, 0, 0, 0, time.FixedZone("CST", 8*3600))),
		AskedUntil:    manifest.At(time.Date(2026, 11, 21, 3, 4, 0, 0, time.UTC)),
		Configuration: "cafe",
		Lists: manifest.Lists{
			{Name: "rooms", SHA256: strings.Repeat("01", 32)},
			{Name: "staff", IDs: 2, SHA256: strings.Repeat("00", 32), Before: &before, Read: 3, Keys: []string{manifest.UserKeys}, WithoutRows: &without},
		},
		Files: []manifest.File{
			{Path: "users/snapshot_date=2026-11-21/part-00000.parquet", Table: "users", Size: 9, SHA256: strings.Repeat("11", 32)},
			{Path: "groups/snapshot_date=2026-11-21/part-00000.parquet", Table: "groups", Size: 8, Rows: 1, SHA256: strings.Repeat("22", 32), MinKey: []string{"a", "<g>"}, MaxKey: []string{"a", "<g>"}},
		},
		Outcomes:    map[string]map[string]int64{"rongcloud_user_groups.staff": {"ok": 2, "gone": 1}},
		Verdicts:    manifest.Verdicts{Groups: map[string]int64{"exact": 1}, Users: map[string]int64{"not_asked": 4}},
		Requests:    map[string]map[string]manifest.Figures{"rongcloud.prod": {"user_groups": {Requests: 3, PerSecond: 100}}},
		ChangesBase: &base,
	}
}

func encode(t *testing.T, m manifest.Manifest) []byte {
	t.Helper()
	line, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestEncodeGivesOneCanonicalLine(t *testing.T) {
	t.Parallel()
	const want = `{"version":1,"date":"2026-11-21","sequence":2,"previous":{"path":"_snapshots/2026-11-20.json","sha256":"abababababababababababababababababababababababababababababababab"},"replaces":null,"tool":"1.0.0","exit_code":3,` +
		`"sealed_at":"2026-11-21T03:04:05.678901Z","asked_from":"2026-11-20T19:00:00.000000Z","asked_until":"2026-11-21T03:04:00.000000Z","configuration":"cafe",` +
		`"lists":[{"name":"rooms","ids":0,"sha256":"0101010101010101010101010101010101010101010101010101010101010101","before":null,"read":0,"keys":[],"without_rows":null},` +
		`{"name":"staff","ids":2,"sha256":"0000000000000000000000000000000000000000000000000000000000000000","before":1121,"read":3,"keys":["users"],"without_rows":1}],` +
		`"files":[{"path":"groups/snapshot_date=2026-11-21/part-00000.parquet","table":"groups","size":8,"rows":1,"sha256":"2222222222222222222222222222222222222222222222222222222222222222","min_key":["a","<g>"],"max_key":["a","<g>"]},` +
		`{"path":"users/snapshot_date=2026-11-21/part-00000.parquet","table":"users","size":9,"rows":0,"sha256":"1111111111111111111111111111111111111111111111111111111111111111","min_key":[],"max_key":[]}],` +
		`"outcomes":{"rongcloud_user_groups.staff":{"gone":1,"ok":2}},"verdicts":{"groups":{"exact":1},"users":{"not_asked":4}},"requests":{"rongcloud.prod":{"user_groups":{"requests":3,"retries":0,"throttles":0,"per_second":100,"latency_ms":0,"seconds":0,"failures":0,"latencies":[],"series":null}}},"replaced_texts":0,"changes_base":"2026-11-20","discrepancies":0,` +
		`"checks":[],"roles":{},"ownership":{"judged":0,"ownerless":0},"data":{},"changes_base_sha256":null,"changes_note":"","changes":{},"changes_uncertain":0,"role_counts":{},"signature":null}` + "\n"
	for range 20 { // map order must not show
		if got := string(encode(t, sample())); got != want {
			t.Fatalf("encoded\n%s\nwant\n%s", got, want)
		}
	}
}

func TestDecodeGivesBackWhatWasEncoded(t *testing.T) {
	t.Parallel()
	line := encode(t, sample())
	m, err := manifest.Decode(line)
	if err != nil {
		t.Fatal(err)
	}
	if again := encode(t, m); string(again) != string(line) {
		t.Errorf("decoding and encoding changed it to\n%s", again)
	}
	if !m.SealedAt.Time().Equal(time.Date(2026, 11, 21, 3, 4, 5, 678901000, time.UTC)) {
		t.Errorf("sealed_at came back as %v", m.SealedAt)
	}
}

func TestManifestsFromBeforeAFieldWasAddedAreRead(t *testing.T) {
	t.Parallel()
	old, _, found := strings.Cut(string(encode(t, sample())), `,"checks":`)
	if !found {
		t.Fatal("the fields that were added do not stand last")
	}
	m, err := manifest.Decode([]byte(old + "}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Checks != nil || m.Roles != nil || m.Discrepancies != sample().Discrepancies {
		t.Errorf("read as %+v", m)
	}
}

func TestEncodeLeavesTheCallersFilesAlone(t *testing.T) {
	t.Parallel()
	m := sample()
	encode(t, m)
	if m.Files[0].Table != "users" {
		t.Error("the caller's slice was sorted")
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good := string(encode(t, sample()))
	for what, text := range map[string]string{
		"an unknown field":                strings.Replace(good, `"tool"`, `"extra":1,"tool"`, 1),
		"a field twice":                   strings.Replace(good, `"tool"`, `"date":"2026-11-21","tool"`, 1),
		"a half line":                     good[:len(good)/2],
		"a missing newline":               strings.TrimSuffix(good, "\n"),
		"two lines":                       good + good,
		"a broken date":                   strings.Replace(good, `"date":"2026-11-21"`, `"date":"2026-11-41"`, 1),
		"version 0":                       strings.Replace(good, `"version":1`, `"version":0`, 1),
		"sequence 0":                      strings.Replace(good, `"sequence":2`, `"sequence":0`, 1),
		"a first one with a predecessor":  strings.Replace(good, `"sequence":2`, `"sequence":1`, 1),
		"a file path that climbs":         strings.Replace(good, `"path":"groups/`, `"path":"../groups/`, 1),
		"files out of order":              strings.Replace(good, `"path":"groups/`, `"path":"zgroups/`, 1),
		"a sum that is too short":         strings.Replace(good, `"sha256":"22`, `"sha256":"`, 1),
		"a time in another zone":          strings.Replace(good, `05.678901Z`, `05.678901+01:00`, 1),
		"a time with other than 6 digits": strings.Replace(good, `05.678901Z`, `05.678Z`, 1),
		"requests over time with a gap":   strings.Replace(good, `"series":null`, `"series":{"from":"","step":1,"sent":[1],"throttled":[],"failed":[],"limit":[]}`, 1),
		"an exit code outside the table":  strings.Replace(good, `"exit_code":3`, `"exit_code":42`, 1),
		"the exit code of a failure":      strings.Replace(good, `"exit_code":3`, `"exit_code":4`, 1),
		"a negative exit code":            strings.Replace(good, `"exit_code":3`, `"exit_code":-1`, 1),
		"a file of another date":          strings.Replace(good, `"path":"groups/snapshot_date=2026-11-21`, `"path":"groups/snapshot_date=2026-11-20`, 1),
		"a file that is no data file":     strings.Replace(good, `"path":"groups/snapshot_date=2026-11-21/part-00000.parquet"`, `"path":"_locks/run.json"`, 1),
		"a link to no manifest":           strings.Replace(good, `"path":"_snapshots/2026-11-20.json"`, `"path":"elsewhere/2026-11-20.json"`, 1),
		"a base that is no date":          strings.Replace(good, `"changes_base":"2026-11-20"`, `"changes_base":"\u001b[2J"`, 1),
		"an unknown outcome":              strings.Replace(good, `"gone":1`, `"vanished":1`, 1),
		"an unknown verdict":              strings.Replace(good, `"exact":1`, `"perfect":1`, 1),
		"a negative outcome":              strings.Replace(good, `"gone":1`, `"gone":-1`, 1),
		"a negative verdict":              strings.Replace(good, `"exact":1`, `"exact":-1`, 1),
		"negative requests":               strings.Replace(good, `"requests":3`, `"requests":-3`, 1),
		"a negative size":                 strings.Replace(good, `"size":8`, `"size":-8`, 1),
		"negative rows":                   strings.Replace(good, `"rows":1`, `"rows":-1`, 1),
		"a negative list":                 strings.Replace(good, `"ids":2`, `"ids":-2`, 1),
		"a negative list before":          strings.Replace(good, `"before":1121`, `"before":-1`, 1),
		"fewer than none without rows":    strings.Replace(good, `"without_rows":1`, `"without_rows":-1`, 1),
		"lists out of order":              strings.Replace(good, `"name":"rooms"`, `"name":"zoo"`, 1),
		"a list twice":                    strings.Replace(good, `"name":"rooms"`, `"name":"staff"`, 1),
		"a list without a sum":            strings.Replace(good, `"sha256":"00`, `"sha256":"`, 1),
		"keys that are neither":           strings.Replace(good, `"keys":["users"]`, `"keys":["rooms"]`, 1),
		"memberships below zero":          strings.Replace(good, `,"signature":null`, `,"uncovered":-1,"signature":null`, 1),
		"a former list of another form":   strings.Replace(withFormerLists(good), `"unique":2`, `"ids":2`, 1),
		"a former list without a sum":     strings.Replace(withFormerLists(good), `"sha256":"00`, `"sha256":"`, 1),
		"negative discrepancies":          strings.Replace(good, `"discrepancies":0`, `"discrepancies":-1`, 1),
		"a check that failed":             strings.Replace(good, `"checks":[]`, `"checks":[{"name":"x","kind":"drop","result":"fail","measured":"","limit":""}]`, 1),
		"an unknown change":               strings.Replace(good, `"changes":{}`, `"changes":{"moved":1}`, 1),
		"an unknown role":                 strings.Replace(good, `"role_counts":{}`, `"role_counts":{"king":1}`, 1),
		"an unknown view":                 strings.Replace(good, `"data":{}`, `"data":{"x":{"source":"x","view":"all","only":[],"topics":false,"blind":""}}`, 1),
		"an unknown treatment":            strings.Replace(good, `,"signature":null`, `,"columns":{"user_id":{"treatment":"kept"}},"signature":null`, 1),
		"nothing":                         "",
		"an array":                        "[]\n",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			if text == good {
				t.Fatal("the test changed nothing")
			}
			if _, err := manifest.Decode([]byte(text)); err == nil {
				t.Errorf("accepted %s", text)
			}
		})
	}
}

func TestDecodeSaysThatAManifestIsNewer(t *testing.T) {
	t.Parallel()
	_, err := manifest.Decode([]byte(`{"version":2,"shape":"unknown"}` + "\n"))
	if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), "version 2") || !strings.Contains(fault.HintOf(err), "newer") {
		t.Errorf("got %v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
	}
}

func TestAManifestIsReadAtItsOwnPlaceAlone(t *testing.T) {
	t.Parallel()
	line := string(encode(t, sample()))
	for path, fits := range map[string]bool{
		manifest.Path("2026-11-21"): true, manifest.ReplacedPath("2026-11-21", 2): true,
		manifest.Path("2026-11-22"): false, manifest.ReplacedPath("2026-11-21", 3): false,
	} {
		if _, err := manifest.Read(t.Context(), shelf{files: map[string]string{path: line}}, path); (err == nil) != fits {
			t.Errorf("at %s: %v", path, err)
		}
	}
}

func TestTimesBelowZeroAreNoLie(t *testing.T) {
	t.Parallel()
	m := sample()
	m.Requests["rongcloud.prod"]["user_groups"] = manifest.Figures{Requests: 3, Seconds: -0.000012, LatencyMS: -1} // a clock was set back
	if _, err := manifest.Decode(encode(t, m)); err != nil {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	line, err := manifest.Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte(withFormerLists(string(line))))
	f.Add([]byte(`{"version":1}` + "\n"))
	f.Add([]byte(`{"version":99999999999999999999}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := manifest.Decode(text)
		if err != nil {
			return
		}
		again, err := manifest.Encode(m)
		if err != nil {
			t.Fatalf("accepted, but can't be written again: %v", err)
		}
		back, err := manifest.Decode(again)
		if err != nil {
			t.Fatalf("written again, it can't be read: %v", err)
		}
		if third, err := manifest.Encode(back); err != nil || string(third) != string(again) {
			t.Fatalf("not canonical:\n%s\n%s", again, third)
		}
	})
}

// shelf is a sink that holds manifests and nothing else.
type shelf struct {
	sinks.Sink
	files map[string]string
}

func (s shelf) URL(path string) string { return "shelf/" + path }

func (s shelf) List(context.Context, string) iter.Seq2[sinks.Object, error] {
	return func(yield func(sinks.Object, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(s.files)) {
			if !yield(sinks.Object{Path: name, Size: int64(len(s.files[name]))}, nil) {
				return
			}
		}
	}
}

func (s shelf) Open(_ context.Context, path string) (io.ReadCloser, error) {
	text, ok := s.files[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

func TestChainFollowsTheOrderOfSealingNotOfDates(t *testing.T) {
	t.Parallel()
	first := sample()
	first.Date, first.Sequence, first.Previous, first.Files = "2026-11-22", 1, nil, nil
	firstLine := encode(t, first)
	second := sample()
	second.Previous = &manifest.Link{Path: manifest.Path(first.Date), SHA256: manifest.Sum(firstLine)}
	s := shelf{files: map[string]string{manifest.Path(first.Date): string(firstLine), manifest.Path(second.Date): string(encode(t, second))}}

	chain, err := manifest.Chain(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if len(chain) != 2 || chain[0].Date != "2026-11-22" || chain[1].Date != "2026-11-21" {
		t.Fatalf("chain is %v", chain)
	}
	if *chain[0].Link() != *chain[1].Previous {
		t.Errorf("link of the first is %v, the second carries %v", chain[0].Link(), chain[1].Previous)
	}
}

func TestChainHoldsReplacedManifestsEachOnce(t *testing.T) {
	t.Parallel()
	s := shelf{files: map[string]string{"_snapshots/replaced/notes.json": "not one of ours"}}
	var previous *manifest.Link
	put := func(date string, sequence int64, paths ...string) {
		m := sample()
		m.Date, m.Sequence, m.Previous, m.Files = date, sequence, previous, nil
		line := encode(t, m)
		for _, path := range paths {
			s.files[path] = string(line)
		}
		previous = &manifest.Link{Path: paths[0], SHA256: manifest.Sum(line)}
	}
	put("2026-11-20", 1, manifest.ReplacedPath("2026-11-20", 1))
	put("2026-11-21", 2, manifest.Path("2026-11-21"))
	put("2026-11-20", 3, manifest.Path("2026-11-20"), manifest.ReplacedPath("2026-11-20", 3)) // on its way
	put("2026-11-22", 4, manifest.ReplacedPath("2026-11-22", 4))                              // moved, and not sealed anew yet
	chain, err := manifest.Chain(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range chain {
		got = append(got, fmt.Sprint(m.Sequence, " ", m.Path, " ", m.Replaced))
	}
	want := []string{
		"1 _snapshots/replaced/2026-11-20-000001.json true", "2 _snapshots/2026-11-21.json false",
		"3 _snapshots/2026-11-20.json false", "4 _snapshots/replaced/2026-11-22-000004.json true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("chain is %q", got)
	}
	if live := manifest.Live(chain); len(live) != 2 || live[0].Sequence != 2 || live[1].Sequence != 3 {
		t.Errorf("live are %v", live)
	}
	for date, sequence := range map[string]int64{"2026-11-20": 3, "2026-11-22": 4} {
		if of := manifest.LatestOf(chain, date); of == nil || of.Sequence != sequence {
			t.Errorf("latest of %s is %v", date, of)
		}
	}
	if of := manifest.LatestOf(chain, "2026-11-19"); of != nil {
		t.Errorf("a date that was never sealed has %v", of)
	}
}

func TestChainBeginsWhereHistoryWasPruned(t *testing.T) {
	t.Parallel()
	late := sample()
	late.Sequence = 700
	s := shelf{files: map[string]string{manifest.Path(late.Date): string(encode(t, late))}}
	if chain, err := manifest.Chain(t.Context(), s); err != nil || len(chain) != 1 || chain[0].Sequence != 700 {
		t.Errorf("got %v, %v", chain, err)
	}
}

// moving is a shelf on which a manifest is put aside between listing and reading.
type moving struct {
	shelf
	move func()
}

func (m moving) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	m.move()
	return m.shelf.Open(ctx, path)
}

func TestChainListsAgainWhenAManifestIsReplacedMeanwhile(t *testing.T) {
	t.Parallel()
	m := sample()
	live, aside := manifest.Path(m.Date), manifest.ReplacedPath(m.Date, m.Sequence)
	s := shelf{files: map[string]string{live: string(encode(t, m))}}
	chain, err := manifest.Chain(t.Context(), moving{s, func() {
		s.files[aside] = string(encode(t, m))
		delete(s.files, live)
	}})
	if err != nil || len(chain) != 1 || !chain[0].Replaced || chain[0].Path != aside {
		t.Errorf("got %v, %v", chain, err)
	}
}

func TestChainOfAnEmptySinkIsEmpty(t *testing.T) {
	t.Parallel()
	if chain, err := manifest.Chain(t.Context(), shelf{}); len(chain) != 0 || err != nil {
		t.Errorf("got %v, %v", chain, err)
	}
}

func TestChainNamesTheManifestThatCannotBeRead(t *testing.T) {
	t.Parallel()
	_, err := manifest.Chain(t.Context(), shelf{files: map[string]string{"_snapshots/2026-11-21.json": "{}\n"}})
	if err == nil || !strings.Contains(err.Error(), "shelf/_snapshots/2026-11-21.json") {
		t.Errorf("got %v", err)
	}
}
