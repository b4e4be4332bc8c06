package spelling_test

import (
	"testing"

	"rollcall/schema/spelling"
)

func TestACharacterThatIsNoPrintableASCIIIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "a b!~": "", "secret": "",
		"\ufeffsecret": "begins with a byte order mark (U+FEFF)", "secret\u00a0": "ends with a no-break space (U+00A0)",
		"secret\n": "ends with a line break", "\r\nsecret": "begins with a line break", " secret": "begins with a blank", "secret ": "ends with a blank",
		"sec\tret": "holds a tab", "sec\u200bret": "holds a zero-width space (U+200B)", "sécret": "holds the character U+00E9", "secret\x7f": "ends with the character U+007F",
		"é\n": "begins with the character U+00E9", "sécret\n": "ends with a line break", "\n": "begins with a line break",
	} {
		if got := spelling.Unprintable(text); got != want {
			t.Errorf("%q %s, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"": "", "https://münchen.example": "", "https://host\u00a0": "holds a no-break space (U+00A0)", "\ufeffhttps://host": "holds a byte order mark (U+FEFF)", "a b": "holds a blank", "a\n": "holds a line break",
	} {
		if got := spelling.Invisible(text); got != want {
			t.Errorf("%q %s, want %q", text, got, want)
		}
	}
}
