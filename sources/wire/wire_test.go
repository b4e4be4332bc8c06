package wire_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources/wire"
)

func TestRetryAfterIsReadInEverySpelling(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"":        0,
		"0":       0,
		" 7 ":     7 * time.Second,
		"1.25":    1250 * time.Millisecond,
		"-3":      0,
		"soon":    0,
		"NaN":     0,
		"Inf":     24 * time.Hour,
		"999999":  24 * time.Hour,
		"1e300":   24 * time.Hour, // a moment in milliseconds, far away
		"120, 60": 0,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
		now.Add(time.Minute).Format(time.ANSIC):           time.Minute,
		fmt.Sprint(now.Unix() + 30):                       30 * time.Second,
		fmt.Sprint(now.UnixMilli() + 1500):                1500 * time.Millisecond,
		fmt.Sprint(now.Unix() - 30):                       0,
	} {
		got := wire.RetryAfter(http.Header{"Retry-After": {text}}, now)
		if diff := got - want; diff > time.Millisecond || diff < -time.Millisecond {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
	if got := wire.RetryAfter(http.Header{}, now); got != 0 {
		t.Errorf("no header is %v", got)
	}
}

func TestAnyHostIsAnEndpointAndNothingButAHost(t *testing.T) {
	t.Parallel()
	regions := []wire.Region{{Name: "A", Main: "a.example.com", Backup: "b.example.com"}}
	if p := wire.CheckEndpoint("https://a.example.com/", false, regions); len(p) != 0 {
		t.Errorf("the main host: %+v", p)
	}
	if p := wire.CheckEndpoint("https://B.example.com", false, regions); len(p) != 0 {
		t.Errorf("the backup host: %+v", p)
	}
	if p := wire.CheckEndpoint("https://user:geheim@a.example.com", false, regions); len(p) != 1 || strings.Contains(p[0].Message, "geheim") {
		t.Errorf("a password: %+v", p)
	}
	if p := wire.CheckEndpoint("nowhere", false, regions); len(p) != 1 || !strings.Contains(p[0].Hint, "https://a.example.com (A)") {
		t.Errorf("no address: %+v", p)
	}
}

func TestABackupIsTheOtherHostOfTheSameDataCentre(t *testing.T) {
	t.Parallel()
	regions := []wire.Region{{Name: "A", Main: "a.example.com", Backup: "a2.example.com"}, {Name: "B", Main: "b.example.com", Backup: "b2.example.com"}}
	for _, c := range []struct {
		endpoint, given string
		off             bool
		want            string
	}{
		{endpoint: "https://a.example.com/", want: "https://a2.example.com"},
		{endpoint: "https://A2.example.com", want: "https://a.example.com"},
		{endpoint: "https://a.example.com", off: true},
		{endpoint: "https://own.example.org"},
		{endpoint: "http://a.example.com"}, // a private thing that has taken the name
		{endpoint: "https://own.example.org", given: "https://own2.example.org/", want: "https://own2.example.org"},
		{endpoint: "https://a.example.com", given: "https://way.example.org", want: "https://way.example.org"},
	} {
		if got := wire.Backup(c.endpoint, c.given, !c.off, regions); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	for _, c := range []struct {
		endpoint, given string
		off, good       bool
	}{
		{endpoint: "https://a.example.com", good: true},
		{endpoint: "https://a.example.com", off: true, good: true},
		{endpoint: "https://a.example.com", given: "https://a2.example.com", good: true},
		{endpoint: "https://own.example.org", given: "https://b.example.com", good: true},
		{endpoint: "http://127.0.0.1:1", given: "http://127.0.0.1:2", good: true},
		{endpoint: "https://a.example.com", given: "https://a2.example.com", off: true},
		{endpoint: "https://a.example.com", given: "https://b2.example.com"},
		{endpoint: "https://own.example.org", given: "https://own.example.org/"},
		{endpoint: "https://own.example.org", given: "http://own2.example.org"},
		{endpoint: "https://own.example.org", given: "own2.example.org"},
	} {
		problems := wire.CheckBackup(c.endpoint, c.given, !c.off, false, regions)
		if (len(problems) == 0) != c.good || len(problems) > 0 && (problems[0].Attribute != "backup_endpoint" || problems[0].Hint == "") {
			t.Errorf("%+v: %+v", c, problems)
		}
	}
}

// value decodes {"v": text} with read.
func value[T any](text string, read func(d *wire.Decoder) T) (got T, replaced int, err error) {
	altered, err := wire.Decode([]byte(`{"v":`+text+`}`), func(d *wire.Decoder, name []byte) {
		if string(name) == "v" {
			got = read(d)
		}
	})
	return got, altered.Replaced, err
}

func TestNumbersComeAsNumbersOrAsText(t *testing.T) {
	t.Parallel()
	type number struct {
		n  int64
		ok bool
	}
	read := func(d *wire.Decoder) number { n, ok := d.Int(); return number{n, ok} }
	for text, want := range map[string]number{
		"7": {7, true}, `"7"`: {7, true}, `" 7 "`: {7, true}, "-7": {-7, true}, "9007199254740993": {9007199254740993, true},
		"null": {}, `""`: {}, `" "`: {},
	} {
		if got, _, err := value(text, read); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"1.0", "1e3", `"x"`, "9223372036854775808", "true", "{}", "[]", "01"} {
		if _, _, err := value(text, read); fault.KindOf(err) != fault.Transient {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTextsTellAbsentFromEmpty(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]schema.Text{
		"null": {}, `""`: schema.SomeText(""), `"a\u0041\n"`: schema.SomeText("aA\n"), `"😀"`: schema.SomeText("😀"), `"\ufffd"`: schema.SomeText("\ufffd"),
	} {
		if got, replaced, err := value(text, (*wire.Decoder).Text); err != nil || got != want || replaced != 0 {
			t.Errorf("%s is %v, %d, %v", text, got, replaced, err)
		}
	}
	for text, want := range map[string]string{`"a\ud800"`: "a\ufffd", "\"\xffb\"": "\ufffdb", `"\udc00\ud800"`: "\ufffd\ufffd"} {
		if got, replaced, err := value(text, (*wire.Decoder).Text); err != nil || got.Value != want || replaced != 1 {
			t.Errorf("%q is %v, %d, %v", text, got, replaced, err)
		}
		if _, _, err := value(text, (*wire.Decoder).ID); fault.KindOf(err) != fault.Item {
			t.Errorf("%q as an ID: %v", text, err)
		}
	}
}

func TestWhatIsOnlyDisplayedAndCantBeReadIsAbsentAndCounted(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"7", "true", "{}", `{"a":[1]}`, "[]"} {
		if got, replaced, err := value(text, (*wire.Decoder).Text); err != nil || got.Valid || replaced != 1 {
			t.Errorf("%s as a text is %v, %d, %v", text, got, replaced, err)
		}
	}
	for _, text := range []string{"true", "{}", "[1]"} {
		if got, replaced, err := value(text, (*wire.Decoder).Label); err != nil || got.Valid || replaced != 1 {
			t.Errorf("%s as a label is %v, %d, %v", text, got, replaced, err)
		}
		if _, _, err := value(text, (*wire.Decoder).Word); fault.KindOf(err) != fault.Transient {
			t.Errorf("%s as a word: %v", text, err)
		}
	}
	millis := func(d *wire.Decoder) schema.Micros { return d.Time(1000) }
	for _, text := range []string{"1.7E12", "1700000000000.0", `"2024-01-01 00:00:00"`, "9223372036854775808", "9223372036854775807", "true", "{}", "[]"} {
		if got, replaced, err := value(text, millis); err != nil || got.Valid || replaced != 1 {
			t.Errorf("%s as a time is %v, %d, %v", text, got, replaced, err)
		}
	}
	for text, want := range map[string]schema.Micros{"7": {Value: 7000, Valid: true}, `"-7"`: {Value: -7000, Valid: true}, "0": {}, `"0"`: {}, `""`: {}, "null": {}} {
		if got, replaced, err := value(text, millis); err != nil || got != want || replaced != 0 {
			t.Errorf("%s as a time is %v, %d, %v", text, got, replaced, err)
		}
	}
}

func TestControlCharactersNeedNoEscape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"\"a\tb\"": "a\tb", "\"\x00\r\n\x1f\"": "\x00\r\n\x1f", "\"\\\"\t\\\\\"": "\"\t\\", "\"a\tb\\u0009\\n\"": "a\tb\t\n",
	} {
		if got, replaced, err := value(text, (*wire.Decoder).Text); err != nil || got != schema.SomeText(want) || replaced != 0 {
			t.Errorf("%q is %q, %d, %v", text, got.Value, replaced, err)
		}
		if got, _, err := value(text, (*wire.Decoder).ID); err != nil || got != want {
			t.Errorf("%q as an ID is %q, %v", text, got, err)
		}
	}
	if got, replaced, err := value("\t\n\"\xff\t\"\r\n", (*wire.Decoder).Text); err != nil || got.Value != "\ufffd\t" || replaced != 1 {
		t.Errorf("beside invalid Unicode it is %q, %d, %v", got.Value, replaced, err)
	}
	for _, text := range []string{"\"\\\t\"", "\x01", "\"\t", "\"a\t\", \"v\":\"\"", "1\x00"} {
		if _, _, err := value(text, (*wire.Decoder).Text); fault.KindOf(err) != fault.Transient {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestWordsAreTrimmed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]schema.Text{
		"null": {}, `""`: {}, `"  "`: {}, "3": schema.SomeText("3"), `"Member "`: schema.SomeText("Member"), `"\u0041dmin\t"`: schema.SomeText("Admin"),
	} {
		if got, _, err := value(text, (*wire.Decoder).Word); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
}

func TestAnErrorSticksAndNamesNoValue(t *testing.T) {
	t.Parallel()
	_, err := wire.Decode([]byte(`{"a":true,"b":"private text"`), func(d *wire.Decoder, _ []byte) {
		if text := d.ID(); text != "" {
			t.Errorf("%q was read after an error", text)
		}
	})
	if fault.KindOf(err) != fault.Transient || strings.Contains(err.Error(), "private") {
		t.Errorf("%v", err)
	}
}

// What Decode skips it checks as strictly as what it reads. But for control characters it is as strict as a
// parser of JSON.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,{"b":null}]}`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, `{"a":01}`, `{} {}`, `[]`, ` {"a" : "b"} `, "{\"a\":\"\x01\"}", "{\"a\":\"\\\x01\"}", "{\"a\t\":1,\"a\\t\":2}", `{"a":`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		valid := jsontext.Value(body).IsValid(jsontext.AllowInvalidUTF8(true)) && jsontext.Value(body).Kind() == '{'
		control := bytes.ContainsFunc(body, func(r rune) bool { return r < ' ' })
		if _, err := wire.Decode(body, func(*wire.Decoder, []byte) {}); valid && err != nil || !valid && err == nil && !control {
			t.Errorf("valid %v, and yet: %v", valid, err)
		}
		if _, err := wire.Decode(body, func(d *wire.Decoder, _ []byte) { d.Word() }); err != nil && fault.KindOf(err) != fault.Transient {
			t.Errorf("%v", err)
		}
	})
}

// An ID is never another one, whatever characters stand in it as they are.
func FuzzControlCharacters(f *testing.F) {
	for _, seed := range []string{"", "u1", "a\tb", "\x00\n\r\x1f\x7f", `a"b\c`, "\\\t", "Ü😀\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		written := `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(id) + `"`
		got, _, err := value(written, (*wire.Decoder).ID)
		if fits := utf8.ValidString(id) && len(id) <= schema.MaxID; (err == nil) != fits || err == nil && got != id {
			t.Errorf("%q is read as %q, %v", id, got, err)
		}
	})
}
