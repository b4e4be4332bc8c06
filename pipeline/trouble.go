package pipeline

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"rollcall/pipeline/event"
	"rollcall/pipeline/pseudonym"
	"rollcall/pipeline/spool"
	"rollcall/pipeline/state"
	"rollcall/schema/fault"
)

// diskFault says in one sentence that the state folder's disk is full, read-only or broken. Errors
// of other places, the local sink's among them, pass unchanged.
func (r Request) diskFault(err error) error {
	if _, stopped := errors.AsType[*StoppedError](err); stopped || !below(pathOf(err), r.State) {
		return err
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &fault.Error{
			Kind: fault.Bug, Message: "the disk that holds the state folder " + r.State + " is full",
			Hint: "make room, or move the folder and name its new place with --state; then run the same command again: what was fetched is kept",
		}
	case errors.Is(err, syscall.EIO):
		return &fault.Error{
			Kind: fault.Bug, Message: "the disk that holds the state folder " + r.State + " fails", Err: err,
			Hint: "see to the disk (the system's log says more), then run the same command again: what was fetched is kept as far as it can be read",
		}
	case fault.KindOf(err) == fault.Configuration:
		return err
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return &fault.Error{
			Kind: fault.Configuration, Message: "the state folder " + r.State + " can't be written", Err: err,
			Hint: "let this user write there, or name another folder with --state; what was fetched is kept where it is",
		}
	}
	return err
}

// pathOf is the path that a step on a disk failed at; empty where err tells of no such step.
func pathOf(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Path
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.New
	}
	return ""
}

func below(path, folder string) bool {
	relative, err := filepath.Rel(folder, path)
	return path != "" && err == nil && relative != ".." && !strings.HasPrefix(relative, "../")
}

// clear removes what a run that ended after its seal has left in the sink. Nobody misses it, so a
// sink that refuses is left alone.
func (r *run) clear(ctx context.Context) {
	night := state.Night{Path: filepath.Join(r.folder.Path, r.date)}
	if staging, err := r.sink.Begin(ctx, r.lock, r.date, night.Journal()); err == nil {
		_ = staging.Abort(ctx)
	}
}

// forget removes the state of a date that is sealed.
func (r *run) forget() {
	if err := r.folder.Forget(r.date); err != nil {
		r.notice("what was kept of "+r.date+" could not be removed: "+err.Error(), "the snapshot is sealed; the next run for this date removes it")
	}
}

// hiding leaves out of notices, whoever makes them, what names IDs under pseudonyms.
func hiding(veil *pseudonym.Veil, listen event.Listener) event.Listener {
	return func(e event.Event) {
		if notice, ok := e.(event.Notice); ok {
			notice.Text, notice.Hint = veil.Text(notice.Text), veil.Text(notice.Hint)
			e = notice
		}
		listen(e)
	}
}

func countKeys(n int64) string {
	return humanize.Comma(n) + " " + english.PluralWord(int(n), "key", "")
}

// tellDropped says that answers were lost on the disk, and what follows.
func (r *run) tellDropped(d spool.Damage) {
	what := "the answers about " + countKeys(d.Keys)
	switch {
	case d.Keys < 0:
		what = "an unknown number of answers"
	case d.Keys == 1:
		what = "answers about 1 key"
	}
	r.notice(what+" were damaged on the disk and are dropped: "+d.Err.Error(), "they alone are asked again; see to the disk, which loses what is written to it")
}
