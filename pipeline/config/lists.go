package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"rollcall/pipeline/job"
	"rollcall/pipeline/keys"
	"rollcall/schema/fault"
)

// readLists reads the ids blocks and keeps those that a data block uses.
func (l *loader) readLists() {
	var standardInput hcl.Range
	taken := false
	for _, address := range l.of("ids") {
		block := l.blocks[address]
		s := l.section(block)
		before := len(l.diags)
		list := s.readList()
		list.Name = block.Labels[0]
		s.end()
		sound := len(l.diags) == before
		if list.Path == "-" {
			if taken {
				l.fault(s.where("path"), "Standard input is read by two lists", fmt.Sprintf("It can be read once, and is by the list at %s. Give this one another path.", l.place(standardInput)))
			}
			standardInput, taken = block.DefRange(), true
		}
		if !l.used[list.Name] {
			l.warn(block.DefRange(), fmt.Sprintf("%s is not used", address), "No data block refers to it, so it will not be read.")
			continue
		}
		if sound && l.options.CheckList != nil {
			l.checkList(block, list)
		}
		l.job.Lists = append(l.job.Lists, list)
	}
	slices.SortFunc(l.job.Lists, func(a, b job.List) int { return strings.Compare(a.Name, b.Name) })
}

// checkList tells what is wrong with what a list holds.
func (l *loader) checkList(block *hclsyntax.Block, list job.List) {
	err := l.options.CheckList(list, l.job.Columns, func(text, hint string) { l.warn(block.DefRange(), text, sentence(hint)) })
	if err != nil {
		l.fault(block.DefRange(), err.Error(), sentence(fault.HintOf(err)))
	}
}

func (s *section) readList() job.List {
	attributes := s.block.Body.Attributes
	values, hasValues := s.texts("values")
	path, hasPath := s.text("path")
	column, hasColumn := s.text("column")
	list := job.List{Column: column, Delimiter: s.delimiter(), NoHeader: s.noHeader(), Endpoint: s.endpoint()}
	list.Region, _ = s.text("region")
	bucket := ""
	if address, far := strings.CutPrefix(path, "s3://"); far {
		bucket, _, _ = strings.Cut(address, "/")
	}
	list.PathStyle = s.pathStyle(bucket, list.Endpoint)
	switch {
	case attributes["path"] == nil && attributes["values"] == nil:
		s.fault(s.block.DefRange(), "The list has neither path nor values", `Give path = "users.txt", or values = ["u1", "u2"].`)
	case hasPath && hasValues:
		s.fault(attributes["values"].NameRange, "The list has both path and values", "Keep one of them, or make two lists and use both: users = [ids.a, ids.b].")
	case hasValues && len(values) == 0:
		s.fault(s.where("values"), "The list is empty", "Name at least one ID.")
	case hasValues && slices.ContainsFunc(values, badID):
		i := slices.IndexFunc(values, badID)
		s.fault(s.where("values"), "The list holds what is no ID", fmt.Sprintf("Value %d: %v. An ID has 1 to 1024 bytes and no line breaks, and its ends can be seen.", i+1, keys.Check([]byte(values[i]))))
	case hasPath && strings.TrimSpace(path) == "":
		s.missing("path", `Give it, as in: path = "users.txt"`)
	case hasColumn && column == "":
		s.fault(s.where("column"), "column is empty", "Name the column that holds the IDs, or take column out.")
	case hasColumn && list.NoHeader:
		s.fault(attributes["column"].NameRange, "Without a header no column has a name", "Take column out, or header = false. Without a header, the list has one column.")
	}
	if hasValues {
		s.onlyOf("values have", "column", "delimiter", "header", "region", "endpoint", "path_style")
		return job.List{Values: values}
	}
	if path == "-" {
		s.onlyOf("Standard input has", "column", "delimiter", "header")
	}
	if hasPath && !strings.HasPrefix(path, "s3://") {
		for _, name := range []string{"region", "endpoint", "path_style"} {
			if attribute := attributes[name]; attribute != nil {
				s.fault(attribute.NameRange, fmt.Sprintf("%s is for lists on s3://", name), "Take it out.")
			}
		}
	}
	if hasPath {
		list.Path = s.localPath(path)
	}
	return list
}

// onlyOf refuses attributes that say nothing of where the IDs come from.
func (s *section) onlyOf(from string, names ...string) {
	for _, name := range names {
		if attribute := s.block.Body.Attributes[name]; attribute != nil {
			s.fault(attribute.NameRange, fmt.Sprintf("%s no %s", from, name), fmt.Sprintf("Take %s out; it belongs to a file.", name))
		}
	}
}

// delimiter reads what divides the columns of a CSV file; 0 where it is not given or faulty.
func (s *section) delimiter() rune {
	text, given := s.text("delimiter")
	if !given {
		return 0
	}
	delimiter, ok := keys.Delimiter(text)
	if !ok {
		s.fault(s.where("delimiter"), "delimiter is one character", `Give the one that divides the columns, as in ";", "\t" or "|".`)
		return 0
	}
	return delimiter
}

// noHeader tells whether a CSV file is said to have no header.
func (s *section) noHeader() bool {
	v, given := s.value("header", cty.Bool)
	return given && v.False()
}

func badID(id string) bool {
	return keys.Check([]byte(id)) != nil
}
