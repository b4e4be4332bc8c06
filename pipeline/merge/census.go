package merge

import (
	"strings"

	"rollcall/schema"
)

// Limits of what is counted of roles, so that no answer of a vendor can grow a manifest.
const (
	maxRoleWords = 100
	maxRoleBytes = 64
)

// OtherRoles counts the memberships whose role is none of the first hundred of their source.
const OtherRoles = "(other)"

// census counts one source's memberships by the vendor's word for their role, and finds groups
// that nobody owns.
type census struct {
	words   map[string]*int64
	unknown int64 // members of the own list of the group at hand whose role is not known
}

func newCensus() census { return census{words: map[string]*int64{}} }

// count takes one membership's role; listed says that the group's own list names it.
func (c *census) count(role schema.Role, raw schema.Text, listed bool) {
	if role == schema.NoRole && listed {
		c.unknown++
	}
	word := raw.Value
	switch {
	case raw.Valid:
	case role == schema.NoRole:
		return
	default:
		word = role.String()
	}
	if len(word) > maxRoleBytes {
		word = strings.ToValidUTF8(word[:maxRoleBytes], "")
	}
	n := c.words[word]
	if n == nil && len(c.words) >= maxRoleWords {
		word = OtherRoles
		n = c.words[word]
	}
	if n == nil {
		n = new(int64)
		c.words[strings.Clone(word)] = n
	}
	*n++
}

// judge looks at a group whose members have been counted.
func (c *census) judge(g *schema.Group, s *Summary) {
	switch schema.OwnershipOf(schema.Verdict(g.Verdict), g.CollectedMembers, c.unknown, g.Owners) {
	case schema.Owned:
		if schema.Verdict(g.Verdict) == schema.Exact {
			s.Judged++
		}
	case schema.Ownerless:
		s.Judged++
		s.Ownerless++
	case schema.EmptyGroup:
		s.Empty++
	}
	c.unknown = 0
}

// add puts what was counted of a source into the summary.
func (c *census) add(source string, s *Summary) {
	if len(c.words) == 0 {
		return
	}
	roles := map[string]int64{}
	for word, n := range c.words {
		roles[word] = *n
	}
	s.Roles[source] = roles
}
