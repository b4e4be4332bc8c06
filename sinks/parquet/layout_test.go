package parquet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	vendor "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"rollcall/schema"
	"rollcall/sinks/parquet"
)

// TestPhysicalLayout holds what the footer of each table's file says: types, field IDs, codecs,
// encodings, filters, sorting. A difference is a change of the published format.
func TestPhysicalLayout(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	text := pointer("x")
	dump(t, &got, "memberships", schema.Membership{Source: "s", Role: text, RoleRaw: text, Nickname: text, JoinedAt: pointer(int64(1)), Extra: text, InUserView: pointer(true), InGroupView: pointer(true), InRoleView: pointer(true)})
	dump(t, &got, "groups", schema.Group{Source: "s", Name: text, Type: text, DeclaredMembers: pointer(int64(1))})
	dump(t, &got, "users", schema.User{Source: "s", DeclaredGroups: pointer(int64(1))})
	dump(t, &got, "outcomes", schema.KeyOutcome{Source: "s", Declared: pointer(int64(1)), VendorCode: text, Message: text})
	dump(t, &got, "discrepancies", schema.Discrepancy{Source: "s", UserView: text, GroupView: text, RoleView: text})
	dump(t, &got, "changes", schema.Change{Source: "s", RoleBefore: text, RoleAfter: text})
	dump(t, &got, "sources", schema.SourceFigures{Source: "s"})

	golden := filepath.Join("testdata", "layout.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the layout is not that of %s:\n%s", golden, got.String())
	}
}

func dump[Row any](t *testing.T, out *strings.Builder, name string, row Row) {
	t.Helper()
	w := parquet.NewWriter[Row](t.TempDir(), table(t, name), parquet.Options{})
	if err := w.Write([]Row{row}); err != nil {
		t.Fatal(err)
	}
	files, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(files[0].LocalPath)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	opened, err := vendor.OpenFile(file, files[0].Size)
	if err != nil {
		t.Fatal(err)
	}
	meta := opened.Metadata()
	fmt.Fprintf(out, "%s: created by %q, sorted by", name, meta.CreatedBy)
	for _, s := range meta.RowGroups[0].SortingColumns {
		fmt.Fprintf(out, " %s", meta.Schema[s.ColumnIdx+1].Name)
		if s.Descending {
			fmt.Fprint(out, " descending")
		}
	}
	fmt.Fprintln(out)
	for i, chunk := range meta.RowGroups[0].Columns {
		element, m := meta.Schema[i+1], chunk.MetaData
		fmt.Fprintf(out, "  %2d %-18s %-8s %-10s %-19s %s %s", element.FieldID, element.Name, element.RepetitionType.V, element.Type.V, element.LogicalType.String(), m.Codec, encodings(m))
		if m.BloomFilterOffset > 0 {
			fmt.Fprint(out, ", bloom")
		}
		if chunk.ColumnIndexOffset > 0 && chunk.OffsetIndexOffset > 0 {
			fmt.Fprint(out, ", index")
		}
		if m.Statistics.MinValue != nil && m.Statistics.MaxValue != nil {
			fmt.Fprint(out, ", bounds")
		}
		fmt.Fprintln(out)
	}
}

func encodings(m format.ColumnMetaData) string {
	var pages []string
	for _, s := range m.EncodingStats {
		pages = append(pages, fmt.Sprintf("%s %s", s.PageType, s.Encoding))
	}
	return strings.Join(pages, ", ")
}
