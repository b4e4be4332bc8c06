package job

import (
	"strconv"

	"rollcall/schema"
)

// Acknowledgement says which groups or users of a source are known to disagree with the vendor's totals, and
// are not to count against the exit code.
type Acknowledgement struct {
	Verdict schema.Verdict // short, over or drifted: they may have this one
	Source  string         // address of the source
	Groups  []string       // IDs, each once; either these or Users
	Users   []string
	Until   string // the last snapshot date for which it holds
	Reason  string
}

// IDs are those of the groups or users, and which of the two they are.
func (a Acknowledgement) IDs() (ids []string, users bool) {
	if len(a.Users) > 0 {
		return a.Users, true
	}
	return a.Groups, false
}

// withoutAcknowledgedIDs counts the IDs, as withoutIDs does.
func withoutAcknowledgedIDs(list []Acknowledgement) (counted []Acknowledgement) {
	for _, a := range list {
		if len(a.Groups) > 0 {
			a.Groups = []string{strconv.Itoa(len(a.Groups))}
		}
		if len(a.Users) > 0 {
			a.Users = []string{strconv.Itoa(len(a.Users))}
		}
		counted = append(counted, a)
	}
	return counted
}
