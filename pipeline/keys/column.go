package keys

import (
	"encoding/hex"
	"math/big"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// column is a column of a Parquet file as lists see it. A list or map is one, and so is each field of a struct.
type column struct {
	name   string // "id", or "user.id" in a struct
	what   string // what it holds, for messages
	index  int    // among those with values; -1: a list or map
	decode decoder
}

// decoder appends a value that is not null as an ID; nil: it can be none.
type decoder func(id []byte, v parquet.Value) []byte

func namesOf(columns []column) []string {
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}

func columnsOf(file *parquet.File) (columns []column) {
	var walk func(c *parquet.Column)
	walk = func(c *parquet.Column) {
		name := strings.Join(c.Path(), ".")
		_, isList := logicalType(c.Type()).(*format.ListType)
		_, isMap := logicalType(c.Type()).(*format.MapType)
		switch {
		case isMap:
			columns = append(columns, column{name: name, what: "a map", index: -1})
		case isList || c.Repeated():
			columns = append(columns, column{name: name, what: "a list", index: -1})
		case c.Leaf():
			decode := decoderOf(c.Type())
			columns = append(columns, column{name, "of type " + c.Type().String(), c.Index(), decode})
		default:
			for _, field := range c.Columns() {
				walk(field)
			}
		}
	}
	for _, c := range file.Root().Columns() {
		walk(c)
	}
	return columns
}

// noIDs is the fault of a column that holds none.
func (l *list) noIDs(c column) error {
	hint := "name a column of strings or whole numbers"
	switch {
	case c.index < 0:
		hint = "write one ID a row; " + hint
	case strings.HasSuffix(c.what, "FLOAT") || strings.HasSuffix(c.what, "DOUBLE"):
		hint += "; if a spreadsheet or pandas made floats of IDs, write the column as text"
	}
	return l.fault(0, hint, "column %q is %s, which is no ID", c.name, c.what)
}

// decoderOf gives what makes IDs of the values of a type: texts, whole numbers and UUIDs; nil for all else.
func decoderOf(t parquet.Type) decoder {
	kind := t.Kind()
	switch logical := logicalType(t).(type) {
	case nil:
		switch {
		case kind == parquet.ByteArray:
			return appendText
		case kind == parquet.Int32 || kind == parquet.Int64:
			return appendInt
		case kind == parquet.FixedLenByteArray && t.Length() == 16:
			return appendSixteen
		}
	case *format.StringType, *format.EnumType:
		return appendText
	case *format.UUIDType:
		return appendUUID
	case *format.IntType:
		if logical.IsSigned {
			return appendInt
		}
		return appendUint
	case *format.DecimalType:
		switch {
		case logical.Scale != 0:
			return nil
		case kind == parquet.Int32 || kind == parquet.Int64:
			return appendInt
		}
		return appendBig
	}
	return nil
}

// logicalType is what the bytes or numbers of a column mean; nil where nothing is said.
func logicalType(t parquet.Type) format.LogicalTypeValue {
	if logical := t.LogicalType(); logical != nil {
		return logical.Value
	}
	return nil
}

func appendText(id []byte, v parquet.Value) []byte { return append(id, v.ByteArray()...) }

func appendInt(id []byte, v parquet.Value) []byte {
	if v.Kind() == parquet.Int32 {
		return strconv.AppendInt(id, int64(v.Int32()), 10)
	}
	return strconv.AppendInt(id, v.Int64(), 10)
}

func appendUint(id []byte, v parquet.Value) []byte {
	if v.Kind() == parquet.Int32 {
		return strconv.AppendUint(id, uint64(v.Uint32()), 10)
	}
	return strconv.AppendUint(id, v.Uint64(), 10)
}

// appendBig appends a whole number of any size: two's complement, the highest byte first.
func appendBig(id []byte, v parquet.Value) []byte {
	text := v.ByteArray()
	n := new(big.Int).SetBytes(text)
	if len(text) > 0 && text[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(text))*8))
	}
	return n.Append(id, 10)
}

// appendSixteen appends 16 bytes of which nothing is said: as text where all of them are signs of ASCII, as those of
// ClickHouse's FixedString(16) are, else as a UUID, whose ninth byte is none.
func appendSixteen(id []byte, v parquet.Value) []byte {
	for _, b := range v.ByteArray() {
		if !plain(b) {
			return appendUUID(id, v)
		}
	}
	return appendText(id, v)
}

// appendUUID appends 16 bytes as UUIDs are written.
func appendUUID(id []byte, v parquet.Value) []byte {
	text := v.ByteArray()
	for i, b := range text {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			id = append(id, '-')
		}
		id = hex.AppendEncode(id, []byte{b})
	}
	return id
}
