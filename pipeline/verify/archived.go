package verify

import (
	"rollcall/schema/fault"
	"rollcall/sinks"
)

// archive takes note of a manifest that is there and can't be read before it was restored: nothing is
// wrong with that, and nothing about its date is proved.
func (v *verifier) archive(path string) {
	v.archived[path] = true
	if date := dateIn(path); sinks.IsManifest(path) {
		v.unreadable[date] = true
		v.note("%s is archived: nothing about %s was looked at, and what links to it is taken at its word", path, date)
	} else {
		v.note("%s, which was replaced, is archived and was not looked at", path)
	}
}

// archivedError says that a date was asked for which can't be read.
func (v *verifier) archivedError(path string) error {
	return &fault.Error{Kind: fault.Configuration, Message: v.sink.URL(path), Err: sinks.ErrArchived,
		Hint: "restore it and its files in the bucket (aws s3api restore-object, or the console), wait until that is done, then run the same command again"}
}
