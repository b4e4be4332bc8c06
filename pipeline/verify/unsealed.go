package verify

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"rollcall/schema/advice"
	"rollcall/schema/disk"
	"rollcall/sinks"
	"rollcall/sinks/lease"
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
// seals them, under the sink's lock: those of the date that it names may be its, while its heartbeat moves.
// A lock that stands still is what a dead run left, or what somebody put there. Nobody will seal the files.
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
	atWork, err := v.dateAtWork(ctx)
	if err != nil {
		return err
	}
	// Asked after the lock: a run that sealed while we looked releases the lock after that.
	sealed, err := v.sink.Manifests(ctx)
	if _, planted := errors.AsType[*disk.NotPlainError](err); err != nil && !planted { // else it has been found
		return err
	}
	if err := v.recount(ctx, left); err != nil {
		return err
	}
	for _, date := range slices.Sorted(maps.Keys(left)) {
		switch u := left[date]; {
		case slices.Contains(sealed, sinks.ManifestPath(date)):
			v.note("%s was sealed while this was being verified, and was not looked at", date)
		case u.files == 0: // they went away meanwhile
		case date == atWork:
			v.note("%s is not sealed, and has %s: a run is at work on it", date, plural(u.files, "file"))
		case u.data == 0:
			v.note("%s is not sealed, and has %s: a run is at work or was stopped", date, plural(u.files, "file"))
		default:
			v.orphans[date] = true
			v.found.add(Extra, u.first, "%s of %s, of which this is the first: no manifest names them, and no run is at work on that date. The manifest was taken away, or a run could not tidy up after itself. "+
				"If %s was sealed, put %s back from a copy; if not, {} removes them and seals what the vendors tell now", plural(u.data, "file"), date, date, sinks.ManifestPath(date))
			v.found.advise(advice.Rollcall("run").With("date", date).With("backdate", ""))
		}
	}
	return nil
}

// dateAtWork is the date that a run is at work on, "" where there is none: the one that the lock names, if
// its heartbeat moves while we watch it. Where there is no lock nothing is waited for.
func (v *verifier) dateAtWork(ctx context.Context) (string, error) {
	first, err := v.lock(ctx)
	if err != nil || first == nil {
		return "", err
	}
	for range 2 * sinks.HeartbeatEvery / lookEvery {
		if err := v.Pause(ctx, lookEvery); err != nil {
			return "", err
		}
		now, err := v.lock(ctx)
		if err != nil || now == nil {
			return "", err // released
		}
		if !bytes.Equal(now, first) {
			return lease.Holder(now).Date, nil
		}
	}
	return "", nil
}

const (
	lookEvery = time.Second
	lockBound = 64 << 10 // bytes; a lock has some hundred
)

// lock reads the sink's lock; nil where there is none.
func (v *verifier) lock(ctx context.Context) ([]byte, error) {
	there := false
	for object, err := range v.sink.List(ctx, path.Dir(sinks.LockPath)+"/") {
		if err != nil {
			return nil, err
		}
		if object.Path != sinks.LockPath {
			continue
		}
		if object.NotPlain != "" {
			v.planted(object)
			return nil, nil
		}
		there = true
	}
	if !there {
		return nil, nil
	}
	file, err := v.sink.Open(ctx, sinks.LockPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	record, err := io.ReadAll(io.LimitReader(file, lockBound))
	return record, errors.Join(err, file.Close())
}

// recount looks again at what is left: a run that was stopped while we watched its lock has removed its files.
func (v *verifier) recount(ctx context.Context, left map[string]*unsealed) error {
	for date, u := range left {
		again := &unsealed{}
		for _, table := range v.tables {
			for object, err := range v.sink.List(ctx, table+"/snapshot_date="+date+"/") {
				if err != nil {
					return err
				}
				if object.NotPlain == "" { // else it has been found
					again.add(object.Path)
				}
			}
		}
		*u = *again
	}
	return nil
}

// pause waits for d, or gives ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
