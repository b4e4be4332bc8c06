package cli

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"rollcall/pipeline/snapshot"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
)

// snapshotRow is one sealed snapshot as a script reads it.
type snapshotRow struct {
	Date        string `json:"date"`
	Sequence    int64  `json:"sequence"`
	SealedAt    string `json:"sealed_at"`
	Code        int    `json:"exit_code"`
	Memberships int64  `json:"memberships"`
	Files       int    `json:"files"`
	Bytes       int64  `json:"bytes"`
	Manifest    string `json:"manifest"`
	Sum         string `json:"manifest_sha256"`

	Columns   map[string]manifest.Column `json:"columns,omitempty"`  // left out, or pseudonyms
	Backdated bool                       `json:"backdated"`          // the vendors were asked after the date was over
	Archived  bool                       `json:"archived,omitempty"` // only its date is known: it must be restored before it can be read

	Acknowledged []manifest.Acknowledged `json:"acknowledged,omitempty"` // disagreements that are known, and kept out of the code

	Missing *snapshot.MissingDates `json:"missing_after,omitempty"` // dates right after it that have no snapshot; of the newest, with --expect daily alone
}

func (a *app) snapshotsCommand() *cobra.Command {
	var expect string
	cmd := &cobra.Command{
		Use:   "snapshots",
		Short: "list sealed snapshots",
		Long:  "Lists the snapshots that are sealed in the sink, in the order of sealing; what was replaced is left out. Archived ones come first, of which only the date is known. Dates between the first and the last that have no snapshot are named; with --expect daily they make it end with 7, and so does a newest snapshot that is older than yesterday (UTC). Needs no vendor's secrets.",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now, err := a.expected(expect)
			if err != nil {
				return err
			}
			sink, err := a.openSink(cmd.Context())
			if err != nil {
				return err
			}
			history, err := manifest.ReadHistory(cmd.Context(), sink)
			if err != nil {
				return err
			}
			rows := []snapshotRow{}
			for _, path := range history.Archived {
				if sinks.IsManifest(path) {
					rows = append(rows, snapshotRow{Date: sinks.ManifestDate(path), Manifest: sink.URL(path), Archived: true})
				}
			}
			for _, m := range manifest.Live(history.Chain) {
				rows = append(rows, snapshotRowOf(m, sink.URL(m.Path)))
			}
			missing := tellMissing(rows, now)
			code := Done
			if expect != "" && (len(missing) > 0 || len(rows) == 0) {
				code = Different
			}
			switch {
			case a.flags.json:
				err = a.answer(rows)
			case len(rows) == 0:
				err = a.out.Printer().Printf("No snapshot is sealed in %s yet.\n", sink)
			default:
				a.table(rows)
				showMissing(a.out.Printer(), "", missing)
			}
			return errors.Join(err, found(code))
		},
	}
	expectFlag(cmd, &expect)
	return cmd
}

// tellMissing gives the dates without a snapshot, and tells each range to the row before it.
func tellMissing(rows []snapshotRow, now time.Time) []snapshot.MissingDates {
	byDate := map[string]*snapshotRow{}
	var dates []string
	for i := range rows {
		byDate[rows[i].Date] = &rows[i]
		dates = append(dates, rows[i].Date)
	}
	missing := snapshot.Missing(dates, "", now)
	for i, m := range missing {
		byDate[m.After].Missing = &missing[i]
	}
	return missing
}

func snapshotRowOf(m manifest.Sealed, url string) snapshotRow {
	row := snapshotRow{
		Date: m.Date, Sequence: m.Sequence, SealedAt: m.SealedAt.Time().Format(time.RFC3339), Code: m.ExitCode,
		Memberships: rowsOf(m.Manifest)["memberships"], Files: len(m.Files), Manifest: url, Sum: m.Sum, Columns: m.Columns, Backdated: m.AskedLate(), Acknowledged: m.Acknowledged,
	}
	for _, f := range m.Files {
		row.Bytes += f.Size
	}
	return row
}

func (a *app) table(rows []snapshotRow) {
	w, flush := a.out.Printer().Table()
	defer flush()
	w.Printf("DATE\tSEALED AT\tCODE\tMEMBERSHIPS\tFILES\tSIZE\tMANIFEST\tSHA-256\n")
	for _, r := range rows {
		if r.Archived {
			w.Printf("%s\tarchived\t\t\t\t\t%s\t\n", r.Date, r.Manifest)
			continue
		}
		if r.Backdated {
			r.SealedAt += " (backdated)"
		}
		code := strconv.Itoa(r.Code)
		if n := manifest.CountAcknowledged(r.Acknowledged); n > 0 {
			code += fmt.Sprintf(" (%d acknowledged)", n)
		}
		w.Printf("%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", r.Date, r.SealedAt, code, humanize.Comma(r.Memberships), r.Files, humanize.IBytes(uint64(r.Bytes)), r.Manifest, r.Sum)
	}
}
