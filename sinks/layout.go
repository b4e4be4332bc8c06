package sinks

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"rollcall/schema"
)

// LockPath is where the lock of a sink lies.
const LockPath = "_locks/run.json"

// ManifestPath is where the manifest that seals date lies.
func ManifestPath(date string) string { return "_snapshots/" + date + ".json" }

// ReportPath is where the page about the snapshot of date lies, if one was written.
func ReportPath(date string) string { return "_reports/" + date + ".html" }

// IsReport tells whether name is a path like ReportPath's.
func IsReport(name string) bool { return isDated(name, "_reports/", ".html") }

// ReplacedFolder is where manifests lie that were replaced.
const ReplacedFolder = "_snapshots/replaced/"

// ReplacedPath is where the manifest of date with that sequence number lies once it was replaced.
func ReplacedPath(date string, sequence int64) string {
	return fmt.Sprintf("%s%s-%06d.json", ReplacedFolder, date, sequence)
}

// IsReplaced tells whether name is a path like ReplacedPath's, of whatever date.
func IsReplaced(name string) bool {
	rest, ok := strings.CutPrefix(name, ReplacedFolder)
	rest, suffixed := strings.CutSuffix(rest, ".json")
	const date = len(time.DateOnly)
	return ok && suffixed && len(rest) > date+1 && IsDate(rest[:date]) && rest[date] == '-' && strings.Trim(rest[date+1:], "0123456789") == ""
}

// IsManifest tells whether name is the path of a sealed manifest. Manifests that were replaced lie
// deeper and are none.
func IsManifest(name string) bool { return isDated(name, "_snapshots/", ".json") }

// isDated tells whether name is a date between prefix and suffix.
func isDated(name, prefix, suffix string) bool {
	date, ok := strings.CutPrefix(name, prefix)
	date, suffixed := strings.CutSuffix(date, suffix)
	return ok && suffixed && IsDate(date)
}

// ManifestDate is the date that the manifest at a path like ManifestPath's seals.
func ManifestDate(path string) string {
	return strings.TrimSuffix(strings.TrimPrefix(path, "_snapshots/"), ".json")
}

// IsDate tells whether date is a calendar day written like 2026-11-21.
func IsDate(date string) bool {
	_, err := time.Parse(time.DateOnly, date)
	return err == nil
}

// Partitions lists the folders that hold the data files of date, one a table, each ending in "/".
func Partitions(date string) []string {
	var all []string
	for _, table := range schema.Tables() {
		all = append(all, table.Name+"/snapshot_date="+date+"/")
	}
	return all
}

// IsPart tells whether name is a path that a data file of date may have. Nothing else under a
// sink's root is ever removed as a leftover, whoever put it there.
func IsPart(name, date string) bool { return Parts(date)(name) }

// Parts is IsPart for one date and many names.
func Parts(date string) func(name string) bool {
	partitions := Partitions(date)
	return func(name string) bool {
		folder, file := path.Split(name)
		ok, _ := path.Match("part-*.parquet", file)
		return ok && fs.ValidPath(name) && slices.Contains(partitions, folder)
	}
}
