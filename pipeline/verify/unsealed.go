package verify

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"rollcall/schema/disk"
	"rollcall/sinks"
)

// unsealed is what lies in the partitions of a date that no manifest seals.
type unsealed struct {
	files int64  // of whatever name
	data  int64  // those that readers take for a part of the table
	first string // path of the first of these
}

func (u *unsealed) add(p string) {
	u.files++
	if name := path.Base(p); strings.HasSuffix(name, ".parquet") && !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_") {
		if u.data++; u.data == 1 {
			u.first = p
		}
	}
}

// unnamed judges data files of dates that no manifest seals. A run makes its files visible before it
// seals them, under the sink's lock, which stays where a run was killed: while the lock is there, they
// may be its. Without it nobody will ever seal them.
func (v *verifier) unnamed(ctx context.Context, left map[string]*unsealed) error {
	if strays := left[""]; strays != nil {
		v.note("%s of tables in no date's folder: no manifest names them, and readers who go by manifests don't see them", plural(strays.files, "file"))
		delete(left, "")
	}
	for date, u := range left {
		if at := v.found.removed(date); at >= 0 {
			v.found.list[at].Message += "; still there: " + plural(u.files, "file") + " of " + date
			delete(left, date)
		}
	}
	if len(left) == 0 {
		return nil
	}
	atWork, err := v.locked(ctx)
	if err != nil {
		return err
	}
	// Asked after the lock: a run that sealed while we looked gives the lock back after that.
	sealed, err := v.sink.Manifests(ctx)
	if _, planted := errors.AsType[*disk.NotPlainError](err); err != nil && !planted { // else it has been found
		return err
	}
	for _, date := range slices.Sorted(maps.Keys(left)) {
		switch u := left[date]; {
		case slices.Contains(sealed, sinks.ManifestPath(date)):
			v.note("%s was sealed while this was being verified, and was not looked at", date)
		case atWork || u.data == 0:
			v.note("%s is not sealed, and has %s: a run is at work or was stopped", date, plural(u.files, "file"))
		default:
			v.orphans[date] = true
			v.found.add(Extra, u.first, "%s of %s, of which this is the first: no manifest names them, and no run is at work. The manifest was taken away, or a run could not tidy up after itself. "+
				"If %s was sealed, put %s back from a copy; if not, `rollcall run --date %s` removes them and seals what the vendors tell now", plural(u.data, "file"), date, date, sinks.ManifestPath(date), date)
		}
	}
	return nil
}

// locked tells whether a run holds the sink, or was killed while it did.
func (v *verifier) locked(ctx context.Context) (bool, error) {
	for object, err := range v.sink.List(ctx, path.Dir(sinks.LockPath)+"/") {
		if err != nil || object.Path == sinks.LockPath {
			return err == nil, err
		}
	}
	return false, nil
}
