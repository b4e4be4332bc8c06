package manifest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Lists are the ID lists of a run, in the order of their names.
//
// Manifests of older versions have an object by name in their place. It is read, and a manifest that was
// read with it is encoded with it again: its bytes are what the next manifest carries the sum of.
type Lists []List

// List is one ID list.
type List struct {
	Name        string   `json:"name"`         // "staff" of ids.staff
	IDs         int64    `json:"ids"`          // each counted once
	SHA256      string   `json:"sha256"`       // of the sorted IDs, in hex
	Before      *int64   `json:"before"`       // IDs of the list of that name in the nearest earlier sealed date; null: there is none
	Read        int64    `json:"read"`         // IDs as they stood in the list
	Keys        []string `json:"keys"`         // what the IDs were asked as: "groups", "users"
	WithoutRows *int64   `json:"without_rows"` // IDs that every data block they were given to answered (ok or gone) without a membership; null: not known
}

// What the IDs of a list are.
const (
	UserKeys  = "users"
	GroupKeys = "groups"
)

// Find is the list of that name; false where there is none.
func (l Lists) Find(name string) (List, bool) {
	at := slices.IndexFunc(l, func(list List) bool { return list.Name == name })
	if at < 0 {
		return List{}, false
	}
	return l[at], true
}

// formerList is a list in the object by name.
type formerList struct {
	SHA256 string `json:"sha256"`
	Unique int64  `json:"unique"`
	Read   int64  `json:"read"`
}

// readLists reads both forms, and tells in former whether it was the object.
func readLists(former *bool) *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(d *jsontext.Decoder, l *Lists) error {
		if d.PeekKind() != '{' {
			return errors.ErrUnsupported
		}
		var byName map[string]formerList
		if err := json.UnmarshalDecode(d, &byName); err != nil {
			return err
		}
		*former = true
		for _, name := range slices.Sorted(maps.Keys(byName)) {
			of := byName[name]
			*l = append(*l, List{Name: name, IDs: of.Unique, SHA256: of.SHA256, Read: of.Read})
		}
		return nil
	})
}

// writeLists writes the object by name.
func writeLists() *json.Marshalers {
	return json.MarshalToFunc(func(e *jsontext.Encoder, l Lists) error {
		byName := map[string]formerList{}
		for _, list := range l {
			byName[list.Name] = formerList{SHA256: list.SHA256, Unique: list.IDs, Read: list.Read}
		}
		return json.MarshalEncode(e, byName)
	})
}

// check holds lists against what every manifest promises of them.
func (l Lists) check() error {
	for i, list := range l {
		least := min(list.IDs, list.Read)
		for _, n := range []*int64{list.Before, list.WithoutRows} {
			if n != nil {
				least = min(least, *n)
			}
		}
		switch {
		case !isSum(list.SHA256):
			return fmt.Errorf("list %q has no SHA-256", list.Name)
		case least < 0:
			return fmt.Errorf("list %q has fewer than no IDs", list.Name)
		case i > 0 && strings.Compare(l[i-1].Name, list.Name) >= 0:
			return fmt.Errorf("list %q is out of order or named twice", list.Name)
		}
		for _, word := range list.Keys {
			if word != UserKeys && word != GroupKeys {
				return fmt.Errorf("the keys %.40q of list %q are not known", word, list.Name)
			}
		}
	}
	return nil
}
