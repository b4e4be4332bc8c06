package schema

// Ownership says whether a group has an owner. It is the one definition: the merge, the manifest, checks,
// reports, explain and the SQL views go by it.
type Ownership string

// The states of ownership.
const (
	Owned            Ownership = "owned"
	Ownerless        Ownership = "ownerless"
	EmptyGroup       Ownership = "empty"
	OwnershipUnknown Ownership = "unknown"
)

// OwnershipOf judges a group by its row: members is collected_members, owners the column of that name, and
// unknown counts the members of its own list (in_group_view) whose role is null.
func OwnershipOf(verdict Verdict, members, unknown, owners int64) Ownership {
	complete := verdict == Exact // an unverifiable group may have been asked for some roles only
	switch {
	case complete && members == 0:
		return EmptyGroup
	case owners > 0:
		return Owned
	case complete && unknown == 0:
		return Ownerless
	default:
		return OwnershipUnknown
	}
}

// Ownerships explains the states of ownership.
func Ownerships() []Term {
	return []Term{
		{string(Owned), "some member is owner"},
		{string(Ownerless), "read completely (its verdict is exact), with at least one member; the role of each member is known, and none is owner"},
		{string(EmptyGroup), "read completely, without a member: it counts neither as owned nor as ownerless"},
		{string(OwnershipUnknown), "no owner was seen, and the group was not read completely, or the role of some member is not known"},
	}
}
