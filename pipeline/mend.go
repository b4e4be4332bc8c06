package pipeline

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"rollcall/pipeline/job"
	"rollcall/pipeline/keys"
	"rollcall/schema/advice"
	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

// mend holds the copy of an ID list against what was copied. A damaged one is made again from the
// list, as long as that still holds the same IDs: others would make it another night.
func (r *run) mend(ctx context.Context, list job.List) error {
	copied, path := r.night.Lists[list.Name], r.night.Keys(list.Name)
	broken := checkCopy(path, copied.SHA256)
	if broken == nil {
		return nil
	}
	if cause, system := errors.AsType[*fs.PathError](broken); system && !errors.Is(cause, fs.ErrNotExist) {
		return broken // it can't be read, which doesn't make it wrong
	}
	lost := &fault.Error{
		Kind: fault.Bug, Message: fmt.Sprintf("the copy of ids.%s that this night asks is damaged, and the list does not hold the same IDs any more", list.Name), Err: broken,
		Hint: "throw away what was fetched and begin anew with {}", Commands: []advice.Command{r.night.Command().With("discard", "")},
	}
	if list.Path == "-" {
		lost.Message = fmt.Sprintf("the copy of ids.%s that this night asks is damaged, and standard input can't be read twice", list.Name)
		return lost
	}
	aside := path + ".now"
	is, err := ImportList(ctx, r.Job, list, aside, r.Stdin, r.Disk, nil)
	if err != nil {
		return err
	}
	if hex.EncodeToString(is.SHA256[:]) != copied.SHA256 {
		return errors.Join(lost, disk.Or(r.Disk).Remove(aside))
	}
	r.notice(fmt.Sprintf("the copy of ids.%s was damaged on the disk and is made again: the list still holds the same IDs", list.Name), "see to the disk, which loses what is written to it")
	return errors.Join(disk.Or(r.Disk).Rename(aside, path), disk.Or(r.Disk).SyncFolder(filepath.Dir(path)))
}

// checkCopy reads a whole key file against its own sum and the one that the night remembers.
func checkCopy(path, sum string) error {
	l, err := keys.Open(path)
	if err != nil {
		return err
	}
	if is := l.Summary().SHA256; hex.EncodeToString(is[:]) != sum {
		return fault.New(fault.Bug, "%s holds other IDs than were copied", path)
	}
	return l.Check()
}
