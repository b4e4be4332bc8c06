package job

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"rollcall/sources"
)

// Fingerprint stands for all that the configuration says but its secrets: two nights with one
// fingerprint were configured alike. It depends on the values, not on how the file is written.
func Fingerprint(j *Job) [32]byte {
	type source struct {
		Address, Type string
		Config        sources.Config // secrets in it print as "(secret)"
		Share         float64
		Budgets       map[string]Budget
		Windows       []Window
	}
	type data struct {
		Data
		Kind string // in place of the whole description
	}
	var all struct {
		Sources      []source
		Lists        []List
		Data         []data
		Sink         Sink
		Tolerate     Tolerance
		Checks       []Check           `json:",omitempty"`
		Columns      []Column          `json:",omitempty"`
		Acknowledged []Acknowledgement `json:",omitempty"`
	}
	for _, s := range j.Sources {
		all.Sources = append(all.Sources, source{s.Address, s.Definition.Type, s.Config, s.Share, s.Budgets, s.Windows})
	}
	for _, d := range j.Data {
		all.Data = append(all.Data, data{Data: d, Kind: d.Kind.Name})
	}
	all.Lists, all.Sink, all.Tolerate, all.Checks, all.Columns = j.Lists, j.Sink, j.Tolerate, written(j.Checks), j.Columns
	all.Acknowledged = j.Acknowledged
	if j.Pseudonymous() {
		all.Lists, all.Acknowledged = withoutIDs(j.Lists), withoutAcknowledgedIDs(j.Acknowledged)
	}
	text, err := json.Marshal(all)
	if err != nil { // a vendor's struct that JSON can't hold; its Go form tells secrets as little
		text = fmt.Appendf(nil, "%+v", all)
	}
	return sha256.Sum256(text)
}

// withoutIDs counts the IDs of lists that stand in the configuration: few IDs could be guessed from
// a fingerprint, and they are to be nowhere.
func withoutIDs(lists []List) []List {
	lists = slices.Clone(lists)
	for i := range lists {
		if n := len(lists[i].Values); n > 0 {
			lists[i].Values = []string{strconv.Itoa(n)}
		}
	}
	return lists
}
