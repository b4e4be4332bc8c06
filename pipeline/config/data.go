package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/sources"
)

// dataBlock is one data block of a known type.
type dataBlock struct {
	job.Data
	block *hclsyntax.Block
	edges []edge // to the data blocks that it refers to
}

func (l *loader) readData() {
	all := l.of("data")
	if len(all) == 0 {
		l.diags = append(l.diags, noData(l.path))
	}
	var types []string
	for _, d := range l.options.Definitions {
		for _, data := range d.Data {
			types = append(types, d.Type+"_"+data.Name)
		}
	}
	for _, address := range all {
		block := l.blocks[address]
		definition, kind, known := l.dataType(block.Labels[0])
		if !known {
			l.fault(block.LabelRanges[0], fmt.Sprintf("There is no data block type %q", block.Labels[0]), didYouMean(block.Labels[0], "types", types))
			continue
		}
		d := l.readDataBlock(block, definition, kind)
		l.data[d.Address] = d
	}
	l.checkGraph()
	l.finish()
}

// dataType finds what a data block's type means: the vendor's and the data's name, joined.
func (l *loader) dataType(name string) (sources.Definition, sources.Data, bool) {
	for _, definition := range l.options.Definitions {
		if rest, ok := strings.CutPrefix(name, definition.Type+"_"); ok {
			if data, ok := definition.Find(rest); ok {
				return definition, data, true
			}
		}
	}
	return sources.Definition{}, sources.Data{}, false
}

func (l *loader) readDataBlock(block *hclsyntax.Block, definition sources.Definition, kind sources.Data) *dataBlock {
	d := &dataBlock{block: block, Data: job.Data{Address: strings.Join(block.Labels, "."), Kind: kind}}
	s := l.section(block)
	d.Source = s.readSourceOf(definition)
	s.readKeys(d)
	s.readOnly(d)
	if attribute := s.block.Body.Attributes["topics"]; attribute != nil && !kind.Topics {
		s.told = append(s.told, "topics")
		s.fault(attribute.NameRange, fmt.Sprintf("%s has no topics", block.Labels[0]), "Take topics out: this question can't be asked about topic communities.")
	} else if attribute != nil {
		d.Topics = s.flag("topics")
	}
	if kind.Topics {
		s.get("topics")
	}
	s.end()
	return d
}

// readSourceOf finds the source that a data block asks: the one it names, or the only one.
func (s *section) readSourceOf(definition sources.Definition) string {
	if attribute := s.get("source"); attribute != nil {
		return s.sourceReference(attribute.Expr, definition)
	}
	var fitting []string
	for _, address := range s.of("source") {
		if s.loader.blocks[address].Labels[0] == definition.Type {
			fitting = append(fitting, address)
		}
	}
	switch len(fitting) {
	case 0:
		s.fault(s.block.DefRange(), fmt.Sprintf("There is no source %q to ask", definition.Type), fmt.Sprintf(`Add a block: source "%s" "NAME" { … }`, definition.Type))
		return ""
	case 1:
		return strings.TrimPrefix(fitting[0], "source.")
	}
	s.missing("source", fmt.Sprintf("There are %d sources of this type; say which one to ask: source = %s", len(fitting), either(fitting)))
	return ""
}

// readKeys reads what a data block is to ask about.
func (s *section) readKeys(d *dataBlock) {
	switch d.Kind.Key {
	case sources.UserKey:
		d.Users = s.readInput(d, "users")
		s.wrongKeys(d, "users", "groups", "memberships")
		s.needKeys(d, d.Users, "users", "ids.NAME")
	case sources.GroupKey:
		d.Groups = s.readInput(d, "groups")
		s.wrongKeys(d, "groups", "users", "memberships")
		s.needKeys(d, d.Groups, "groups", "ids.NAME")
	case sources.RoleKey:
		s.readPairs(d)
	}
}

// needKeys tells that a data block has nothing to ask about.
func (s *section) needKeys(d *dataBlock, in job.Input, name, example string) {
	if in.Empty() && s.block.Body.Attributes[name] == nil {
		s.missing(name, fmt.Sprintf("Say which %s to ask about, as in: %s = %s", name, name, example))
	}
}

// wrongKeys tells that a data block can't be asked about what it is given.
func (s *section) wrongKeys(d *dataBlock, right string, wrong ...string) {
	for _, name := range wrong {
		if attribute := s.block.Body.Attributes[name]; attribute != nil {
			s.told = append(s.told, name)
			s.fault(attribute.NameRange, fmt.Sprintf("%s is not asked about %s", s.block.Labels[0], name), fmt.Sprintf("Give it %s instead.", right))
		}
	}
}

// readPairs reads the (group, user) pairs of a role block: memberships, or groups with users.
func (s *section) readPairs(d *dataBlock) {
	given := s.block.Body.Attributes
	if attribute := given["memberships"]; attribute != nil && (given["groups"] != nil || given["users"] != nil) {
		s.fault(attribute.NameRange, "Both memberships and lists are given", "Keep memberships to ask about known pairs, or groups with users to ask about every user in every group.")
	}
	d.Memberships = s.readInput(d, "memberships").From
	d.Groups = s.readInput(d, "groups")
	d.Users = s.readInput(d, "users")
	switch {
	case given["memberships"] != nil:
	case given["groups"] == nil && given["users"] == nil:
		s.missing("memberships", "Give memberships of another data block, as in: memberships = data.TYPE.NAME.memberships; or groups with users.")
	case given["groups"] == nil:
		s.missing("groups", "With users alone nobody knows in which groups to ask; add groups, or give memberships instead.")
	case given["users"] == nil:
		s.missing("users", "With groups alone nobody knows whom to ask about; add users, or give memberships instead.")
	}
}

// readOnly reads which roles to ask for.
func (s *section) readOnly(d *dataBlock) {
	attribute := s.block.Body.Attributes["only"]
	if !d.Kind.Only {
		if attribute != nil {
			s.told = append(s.told, "only")
			s.fault(attribute.NameRange, fmt.Sprintf("%s can't be asked for some roles only", s.block.Labels[0]), "Take only out: the vendor gives all roles here.")
		}
		return
	}
	names, ok := s.texts("only")
	if !ok {
		return
	}
	if len(names) == 0 {
		s.fault(s.where("only"), "only names no role", `Name roles, as in ["owner", "admin"], or take only out to ask for all.`)
	}
	for _, name := range names {
		role, known := schema.ParseRole(name)
		if !known {
			s.fault(s.where("only"), fmt.Sprintf("There is no role %q", name), didYouMean(name, "roles", []string{"owner", "admin", "member"}))
			continue
		}
		if !slices.Contains(d.Only, role) {
			d.Only = append(d.Only, role)
		}
	}
	slices.Sort(d.Only)
}

// finish puts what was read into the job.
func (l *loader) finish() {
	asked := map[string]bool{}
	for _, address := range l.of("data") {
		if d := l.data[strings.TrimPrefix(address, "data.")]; d != nil {
			l.job.Data = append(l.job.Data, d.Data)
			asked[d.Source] = true
		}
	}
	slices.SortFunc(l.job.Data, func(a, b job.Data) int {
		if c := strings.Compare(a.Source, b.Source); c != 0 {
			return c
		}
		return strings.Compare(a.Address, b.Address)
	})
	for _, address := range l.of("source") {
		s := l.sources[strings.TrimPrefix(address, "source.")]
		if s == nil {
			continue
		}
		if !asked[s.Address] {
			l.warn(s.block.DefRange(), fmt.Sprintf("%s is not asked anything", address), "No data block uses it.")
		}
		l.job.Sources = append(l.job.Sources, s.Source)
	}
	slices.SortFunc(l.job.Sources, func(a, b job.Source) int { return strings.Compare(a.Address, b.Address) })
}
