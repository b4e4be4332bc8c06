package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"rollcall/pipeline/event"
	"rollcall/schema/advice"
	"rollcall/schema/fault"
	"rollcall/sinks/manifest"
)

// readChain reads the manifests that are there before a vendor is asked anything: what keeps the next one
// from being linked to the one sealed last is found now and not after hours of requests. While the lock
// is ours nobody else seals, so that the chain's end stays what it is.
func (r *run) readChain(ctx context.Context) error {
	h, err := manifest.ReadHistory(ctx, r.sink)
	if err != nil {
		return believed(err, "the next manifest can't be linked to those before it")
	}
	if _, err := h.Head(); err != nil {
		return err
	}
	if _, err := h.LatestOf(r.date); err != nil {
		return err
	}
	r.chain = h
	return nil
}

// believed says what it means that a manifest is none that can be believed, which somebody must see to. Other errors pass.
func believed(err error, meaning string) error {
	unreadable, is := errors.AsType[*manifest.UnreadableError](err)
	if !is {
		return err
	}
	return &fault.Error{Kind: fault.Configuration, Err: unreadable.Err, Message: meaning,
		Commands: []advice.Command{advice.Rollcall("verify")},
		Hint:     "{} tells what is wrong; put the manifest back from a copy, or move the object away if it never was one"}
}

// tellChain says what of the manifests was not looked at.
func (r *run) tellChain() {
	if strays := r.chain.Strays; len(strays) > 0 {
		r.notice("not manifests, and lie among them: "+strings.Join(strays, ", "), "they were not read; query engines that read manifests as a table do read them: move them away")
	}
	if archived := r.chain.Archived; len(archived) > 0 {
		r.Listen(event.Notice{Text: "archived, and not read: " + strings.Join(archived, ", "), Hint: "this run does not need them; a role that only they know counts as new"})
	}
	for i, m := range r.chain.Chain {
		if i > 0 && r.chain.Chain[i-1].Sequence == m.Sequence {
			r.notice(fmt.Sprintf("two manifests claim sequence %d: %s and %s", m.Sequence, r.chain.Chain[i-1].Path, m.Path), "{} tells more; this run goes on after the latter", advice.Rollcall("verify"))
		}
	}
}

// currentChain is the chain that was read before, as long as the same manifests are there.
func (r *run) currentChain(ctx context.Context) (manifest.History, error) {
	same, err := r.chain.Is(ctx, r.sink)
	if err == nil && !same {
		err = r.readChain(ctx)
	}
	return r.chain, err
}

// proveWinner reads every file of a snapshot that another run sealed, before what this one has of the
// date is thrown away.
func (r *run) proveWinner(ctx context.Context, m manifest.Manifest) error {
	for _, f := range m.Files {
		sum, size, err := r.sumOf(ctx, f.Path)
		switch {
		case err != nil && !isMissing(err):
			return fault.Wrap(err, "%s, sealed by another run", r.sink.URL(f.Path))
		case err != nil || size != f.Size || sum != f.SHA256:
			return &fault.Error{Kind: fault.Transient, Message: r.sink.URL(f.Path) + " is not as the manifest says that another run sealed; what this run fetched of " + r.date + " is kept",
				Commands: []advice.Command{advice.Rollcall("verify", r.date)},
				Hint:     "{} tells what else is wrong; to seal the date anew from what is kept, move " + m.Date + "'s manifest away and run the same command again"}
		}
	}
	return nil
}

// proveBefore is proveWinner for a date that was found sealed and of which the state folder has something
// that another manifest was to seal.
func (r *run) proveBefore(ctx context.Context, done Result) error {
	night, err := r.folder.Night(r.date)
	if err != nil || night == nil || night.Sealing == done.Sum {
		return err
	}
	return r.stopped(ctx, r.proveWinner(ctx, done.Manifest))
}

func (r *run) sumOf(ctx context.Context, path string) (sum string, size int64, err error) {
	from, err := r.sink.Open(ctx, path)
	if err != nil {
		return "", 0, err
	}
	defer from.Close()
	hash := sha256.New()
	size, err = io.Copy(hash, from)
	return hex.EncodeToString(hash.Sum(nil)), size, err
}
