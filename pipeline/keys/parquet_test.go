package keys_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
)

// column writes values as a Parquet file with one column "id" of a type.
func column(t *testing.T, node parquet.Node, values ...parquet.Value) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewWriter(&b, parquet.NewSchema("list", parquet.Group{"id": node}))
	for _, v := range values {
		if _, err := w.WriteRows([]parquet.Row{{v.Level(0, 0, 0)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestParquetOfOtherToolsIsRead(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][]string{
		"decimal.parquet":  {"10001", "10002"},
		"dec18.parquet":    {"10001"},
		"duckuuid.parquet": {"008b98ef-f8ef-4213-943e-8ad99680f21e", "009a6950-d7fc-4923-a3db-eb91a8819ec3"},
	} {
		content, err := os.ReadFile(filepath.Join("testdata", "parquet", file))
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := read(t, file, "", content)
		if got = got[:min(2, len(got))]; err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
	uuid := "\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef"
	for _, c := range []struct {
		rule    string
		content string
		want    string
	}{
		{"DECIMAL in 32 bits", column(t, parquet.Decimal(0, 9, parquet.Int32Type), parquet.Int32Value(-7)), "-7"},
		{"DECIMAL in 64 bits", column(t, parquet.Decimal(0, 18, parquet.Int64Type), parquet.Int64Value(123456789012345678)), "123456789012345678"},
		{"DECIMAL in bytes", column(t, parquet.Decimal(0, 38, parquet.FixedLenByteArrayType(16)), parquet.FixedLenByteArrayValue([]byte("\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"))), "18446744073709551616"},
		{"DECIMAL below zero in bytes", column(t, parquet.Decimal(0, 20, parquet.FixedLenByteArrayType(9)), parquet.FixedLenByteArrayValue([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xfe"))), "-2"},
		{"UUID", column(t, parquet.UUID(), parquet.FixedLenByteArrayValue([]byte(uuid))), "01234567-89ab-cdef-0123-456789abcdef"},
		{"16 bytes", column(t, parquet.Leaf(parquet.FixedLenByteArrayType(16)), parquet.FixedLenByteArrayValue([]byte(uuid))), "01234567-89ab-cdef-0123-456789abcdef"},
		{"a dictionary", column(t, parquet.Encoded(parquet.String(), &parquet.RLEDictionary), parquet.ByteArrayValue([]byte("u1")), parquet.ByteArrayValue([]byte("u1"))), "u1"},
		{"bytes", column(t, parquet.Leaf(parquet.ByteArrayType), parquet.ByteArrayValue([]byte("u1"))), "u1"},
		{"8 bits without a sign", column(t, parquet.Uint(8), parquet.Int32Value(200)), "200"},
		{"64 bits without a sign", column(t, parquet.Uint(64), parquet.Int64Value(-1)), "18446744073709551615"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got, _, err := read(t, "a.parquet", "", []byte(c.content)); err != nil || !slices.Equal(got, []string{c.want}) {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
			rows, err := rowsOf(t, "a.parquet", c.content, "id")
			if err != nil || len(rows) == 0 || rows[0] != c.want {
				t.Errorf("as rows: %q, %v, want %q", rows, err, c.want)
			}
		})
	}
}

func TestWhatIsNoIDInParquetIsNamed(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join("testdata", "parquet", "list.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	type many struct {
		IDs    []string          `parquet:"ids,list"`
		Bare   []string          `parquet:"bare"`
		Map    map[string]string `parquet:"map"`
		Struct struct {
			ID string `parquet:"id"`
		} `parquet:"struct"`
		Bool bool `parquet:"bool"`
	}
	all := string(table(t, many{}))
	for _, c := range []struct{ rule, column, content, message, hint string }{
		{"a list of another tool", "", string(content), `is a list, which is no ID`, "one ID a row"},
		{"a list", "ids", all, `column "ids" is a list, which is no ID`, "one ID a row"},
		{"a repeated column", "bare", all, `column "bare" is a list, which is no ID`, "one ID a row"},
		{"a map", "map", all, `column "map" is a map, which is no ID`, "one ID a row"},
		{"a struct", "struct", all, `column "struct" is a struct, which is no ID`, `"struct.id"`},
		{"true and false", "bool", all, `column "bool" is of type BOOLEAN`, "strings or whole numbers"},
		{"a fraction", "", column(t, parquet.Leaf(parquet.DoubleType), parquet.DoubleValue(1)), `of type DOUBLE`, "made floats of IDs"},
		{"a short fraction", "", column(t, parquet.Leaf(parquet.FloatType), parquet.FloatValue(1)), `of type FLOAT`, "made floats of IDs"},
		{"a decimal fraction", "", column(t, parquet.Decimal(2, 18, parquet.Int64Type), parquet.Int64Value(100)), `of type DECIMAL(18,2)`, "strings or whole numbers"},
		{"a time of old", "", column(t, parquet.Leaf(parquet.Int96Type), parquet.Int96Value(deprecated.Int96{1})), `of type INT96`, "strings or whole numbers"},
		{"a time", "", column(t, parquet.Timestamp(parquet.Millisecond), parquet.Int64Value(1)), `of type TIMESTAMP`, "strings or whole numbers"},
		{"a day", "", column(t, parquet.Date(), parquet.Int32Value(1)), `of type DATE`, "strings or whole numbers"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			refused(t, "a.parquet", c.column, c.content, c.message, c.hint)
			if !strings.Contains(c.message, "struct") && c.column != "" {
				if _, err := rowsOf(t, "a.parquet", c.content, c.column); err == nil || !strings.Contains(err.Error(), c.message) {
					t.Errorf("as rows: %v", err)
				}
			}
		})
	}
}
