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
	words map[string]*int64
	group struct{ roles bool } // of the group at hand: some member's role is known
}

func newCensus() census { return census{words: map[string]*int64{}} }

// count takes one membership's role.
func (c *census) count(role schema.Role, raw schema.Text) {
	word := raw.Value
	switch {
	case role != schema.NoRole:
		c.group.roles = true
		if !raw.Valid {
			word = role.String()
		}
	case !raw.Valid:
		return
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

// judge looks at a group whose members have been counted. Only one that was read whole, and whose
// roles are known, can be said to have no owner.
func (c *census) judge(whole bool, owners int64, s *Summary) {
	if whole && c.group.roles {
		s.Judged++
		if owners == 0 {
			s.Ownerless++
		}
	}
	c.group.roles = false
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
