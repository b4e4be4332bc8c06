package simulated

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func FuzzTextsSurviveJSON(f *testing.F) {
	for _, s := range nastyTexts {
		f.Add(s)
	}
	f.Add("cut " + LoneSurrogate)
	f.Add("\xff\xfe")
	f.Fuzz(func(t *testing.T, s string) {
		for _, ascii := range []bool{false, true} {
			w := text{ascii: ascii}
			w.string(s)
			var got string
			if err := json.Unmarshal(w.b, &got); err != nil {
				t.Fatalf("%v in %q", err, w.b)
			}
			if got != readable(s) {
				t.Errorf("%q became %q", s, got)
			}
			if !utf8.Valid(w.b) {
				t.Errorf("%q is not UTF-8", w.b)
			}
		}
	})
}
