package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"rollcall/pipeline/job"
)

// readLists reads the ids blocks and keeps those that a data block uses.
func (l *loader) readLists() {
	var standardInput hcl.Range
	taken := false
	for _, address := range l.of("ids") {
		block := l.blocks[address]
		s := l.section(block)
		list := s.readList()
		list.Name = block.Labels[0]
		s.end()
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
		l.job.Lists = append(l.job.Lists, list)
	}
	slices.SortFunc(l.job.Lists, func(a, b job.List) int { return strings.Compare(a.Name, b.Name) })
}

func (s *section) readList() job.List {
	attributes := s.block.Body.Attributes
	values, hasValues := s.texts("values")
	path, hasPath := s.text("path")
	column, hasColumn := s.text("column")
	switch {
	case attributes["path"] == nil && attributes["values"] == nil:
		s.fault(s.block.DefRange(), "The list has neither path nor values", `Give path = "users.txt", or values = ["u1", "u2"].`)
	case hasPath && hasValues:
		s.fault(attributes["values"].NameRange, "The list has both path and values", "Keep one of them, or make two lists and use both: users = [ids.a, ids.b].")
	case hasValues && len(values) == 0:
		s.fault(s.where("values"), "The list is empty", "Name at least one ID.")
	case hasValues && slices.ContainsFunc(values, badID):
		s.fault(s.where("values"), "The list holds what is no ID", "An ID has 1 to 1024 bytes and no line breaks.")
	case hasValues && hasColumn:
		s.fault(attributes["column"].NameRange, "values have no column", "Take column out; it belongs to a path.")
	case hasPath && strings.TrimSpace(path) == "":
		s.missing("path", `Give it, as in: path = "users.txt"`)
	case hasColumn && column == "":
		s.fault(s.where("column"), "column is empty", "Name the column that holds the IDs, or take column out.")
	}
	if hasValues {
		return job.List{Values: values}
	}
	if hasPath {
		path = s.localPath(path)
	}
	return job.List{Path: path, Column: column}
}

func badID(id string) bool {
	return id == "" || len(id) > 1024 || strings.ContainsAny(id, "\x00\r\n")
}
