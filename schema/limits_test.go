package schema_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"rollcall/schema"
)

func TestALongTextIsCutBetweenTwoCharacters(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "short", strings.Repeat("x", schema.MaxText), strings.Repeat("長", schema.MaxText/3)} {
		if got, cut := schema.CutText(text); cut || got != text {
			t.Errorf("a text of %d bytes was cut to %d", len(text), len(got))
		}
	}
	for _, letter := range []string{"x", "é", "長", "😀"} {
		for extra := range 8 {
			text := strings.Repeat("a", extra) + strings.Repeat(letter, schema.MaxText+1)
			got, cut := schema.CutText(text)
			if !cut || len(got) > schema.MaxText || len(got) < schema.MaxText-4 || !utf8.ValidString(got) || !strings.HasSuffix(got, "… [cut]") {
				t.Errorf("%d bytes of %q became %d bytes, cut %v, ending in %q", len(text), letter, len(got), cut, got[max(0, len(got)-16):])
			}
			if !strings.HasPrefix(text, strings.TrimSuffix(got, "… [cut]")) {
				t.Errorf("a text of %q was changed before its end", letter)
			}
		}
	}
}
