package parquet

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"rollcall/schema"
)

// Footer is what a file says of itself.
type Footer struct {
	Rows     int64
	Deviates []string // in what the file is not what a [Writer] makes of the table; each a sentence without a full stop
}

// ReadFooter holds what a file says of itself against the table whose rows are of type Row: names,
// types, field IDs and nullability of its columns, and the sorting that each row group claims. An
// error means that the file can't be read, as in [Read].
func ReadFooter[Row any](file io.ReaderAt, size int64) (footer Footer, err error) {
	defer func() {
		if err != nil {
			err = unreadable(err)
		}
	}()
	defer recovered(&err)
	table := schema.TableOf[Row]()
	opened, err := openGuarded(file, size)
	if err != nil {
		return Footer{}, err
	}
	model, err := emptyFile[Row](table)
	if err != nil {
		return Footer{}, err
	}
	footer = Footer{Rows: opened.NumRows(), Deviates: compareColumns(opened.Metadata().Schema, model.Metadata().Schema)}
	want := sortingOf(table)
	for i, group := range opened.Metadata().RowGroups {
		if !slices.Equal(group.SortingColumns, want) {
			footer.Deviates = append(footer.Deviates, fmt.Sprintf("row group %d does not say that it is sorted by %q", i, table.Key()))
			break
		}
	}
	return footer, nil
}

// emptyFile is a file of the table without rows.
func emptyFile[Row any](table schema.Table) (*parquet.File, error) {
	var encoded bytes.Buffer
	if err := parquet.NewGenericWriter[Row](&encoded, layout(table)...).Close(); err != nil {
		return nil, err
	}
	return parquet.OpenFile(bytes.NewReader(encoded.Bytes()), int64(encoded.Len()))
}

// sortingOf is the sorting that a row group of the table records.
func sortingOf(table schema.Table) []format.SortingColumn {
	var want []format.SortingColumn
	for _, name := range table.Key() {
		for i, c := range table.Columns {
			if c.Name == name {
				want = append(want, format.SortingColumn{ColumnIdx: int32(i)})
			}
		}
	}
	return want
}

// compareColumns tells in what the columns of a file are not the wanted ones.
func compareColumns(got, want []format.SchemaElement) []string {
	var wrong []string
	for i := 1; i < max(len(got), len(want)); i++ { // the first is the root, whose name says nothing
		switch {
		case i >= len(want):
			wrong = append(wrong, fmt.Sprintf("it has a column more, %.60q", got[i].Name))
		case i >= len(got):
			wrong = append(wrong, fmt.Sprintf("it lacks the column %s", want[i].Name))
		case got[i].Name != want[i].Name:
			wrong = append(wrong, fmt.Sprintf("column %d is %.60q, not %s", i, got[i].Name, want[i].Name))
		case got[i].FieldID != want[i].FieldID:
			wrong = append(wrong, fmt.Sprintf("column %s has the field ID %d, not %d", want[i].Name, got[i].FieldID, want[i].FieldID))
		case got[i].RepetitionType != want[i].RepetitionType:
			wrong = append(wrong, fmt.Sprintf("column %s is %s, and not so in the table", want[i].Name, repetition(got[i])))
		case !reflect.DeepEqual(got[i], want[i]):
			wrong = append(wrong, fmt.Sprintf("column %s is not of the type that it is written with", want[i].Name))
		}
	}
	return wrong
}

func repetition(e format.SchemaElement) string {
	if !e.RepetitionType.Valid {
		return "neither nullable nor not"
	}
	switch e.RepetitionType.V {
	case format.Optional:
		return "nullable"
	case format.Repeated:
		return "a list"
	default:
		return "not nullable"
	}
}
