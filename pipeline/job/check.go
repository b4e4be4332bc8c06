package job

import "slices"

// CheckKind is what a check looks at.
type CheckKind string

// The kinds of checks, named as the attribute that asks for them, or as the built-in check.
const (
	Drop            CheckKind = "drop"              // a table has fewer rows than in the base
	Emptied         CheckKind = "emptied"           // a table has no rows, and had some in the base
	NewRoles        CheckKind = "new_roles"         // a role that the base doesn't know
	Ownerless       CheckKind = "ownerless"         // groups without an owner
	ListShrunk      CheckKind = "list_shrunk"       // an ID list has fewer IDs than the one of its name in the base
	Uncovered       CheckKind = "uncovered"         // memberships of the base whose group and user nobody asked about
	ListWithoutRows CheckKind = "list_without_rows" // none of the IDs of a list has a membership
)

// BuiltIn are the checks that apply without being written, in the order of names. A fifth of a list, or of the
// memberships, may go, and less than twenty of them whatever share that is.
func BuiltIn() []Check {
	limit := Tolerance{Share: 0.2, Count: 19}
	return []Check{
		{Name: "emptied", Kind: Emptied},
		{Name: "fewer_memberships", Kind: Drop, Table: "memberships", Limit: limit},
		{Name: "list_shrunk", Kind: ListShrunk, Limit: limit},
		{Name: "list_without_rows", Kind: ListWithoutRows},
		{Name: "uncovered", Kind: Uncovered, Limit: limit},
	}
}

// Limited tells whether a kind of check has a limit.
func (k CheckKind) Limited() bool {
	return slices.Contains([]CheckKind{Drop, Ownerless, ListShrunk, Uncovered}, k)
}

// OfLists tells whether a kind of check looks for wrong ID lists.
func (k CheckKind) OfLists() bool {
	return slices.Contains([]CheckKind{ListShrunk, Uncovered, ListWithoutRows}, k)
}

// written are the checks that are not as they would be without being written.
func written(checks []Check) []Check {
	return slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return slices.Contains(BuiltIn(), c) })
}
