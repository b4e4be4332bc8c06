package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	reports "rollcall/pipeline/report"
	"rollcall/pipeline/snapshot"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

const aboutReport = `Makes one HTML page about a sealed snapshot (the latest, or DATE): what was sealed and how complete it is,
what is missing and what to do, what changed, the last 30 snapshots, the largest groups and those
without an owner, and how the vendors were asked. It is one file, needs no network and runs no script.
Reads the sink and needs no secrets.

The page goes to stdout; where that is a terminal, it is written to rollcall-DATE.html in this folder.
--out names a file. With report = true in the snapshot block, each run writes the page to
_reports/DATE.html in the sink.`

// reportAnswer is where a page is, as a script reads it.
type reportAnswer struct {
	Date  string `json:"date"`
	File  string `json:"file"`
	Bytes int    `json:"bytes"`
}

func (a *app) reportCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "report [DATE]",
		Short: "make one HTML page about a snapshot",
		Long:  aboutReport,
		Args:  oneDate,
		RunE: func(cmd *cobra.Command, args []string) error {
			date, err := a.dateOf(args)
			if err != nil {
				return err
			}
			if out == "-" && a.flags.json {
				return misused("name a file, or leave out --json", "--out - gives the page itself, and --json the place of a file")
			}
			sink, err := a.openSink(cmd.Context())
			if err != nil {
				return err
			}
			s, err := snapshot.Open(cmd.Context(), sink, date)
			if err != nil {
				return err
			}
			var page bytes.Buffer
			if err := reports.Write(cmd.Context(), &page, s); err != nil {
				return err
			}
			return a.givePage(page.Bytes(), s.Date, out)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write the page to `FILE`; - is stdout")
	return cmd
}

// givePage writes the page where it is wanted, and says where that is. Nobody wants to read it in a terminal.
func (a *app) givePage(page []byte, date, out string) error {
	if out == "" && (a.flags.json || a.env.Shown != nil && a.env.Shown()) {
		out = "rollcall-" + date + ".html"
	}
	if out == "" || out == "-" {
		_, err := a.out.Raw().Write(page)
		return err
	}
	path, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	if err := writePage(path, page); err != nil {
		return &fault.Error{Kind: fault.Configuration, Message: "the report can't be written to " + out, Err: err, Hint: "name another file with --out, or - for stdout"}
	}
	if a.flags.json {
		return a.answer(reportAnswer{Date: date, File: path, Bytes: len(page)})
	}
	return a.out.Printer().Printf("The report of %s, %s, is in %s\n", date, humanize.IBytes(uint64(len(page))), path)
}

// writePage replaces a file at once; what is no file, such as a pipe, is written to.
func writePage(path string, page []byte) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular():
		return disk.Replace(disk.OS{}, path, 0o644, page)
	case err != nil:
		return err
	default:
		return os.WriteFile(path, page, 0o644)
	}
}
