package wire_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"rollcall/sources/wire"
)

func TestQuoteEscapesCutsAndHides(t *testing.T) {
	t.Parallel()
	if got := wire.Quote("a\x1b[31m\n\"b\""); got != `"a\x1b[31m\n\"b\""` {
		t.Errorf("control characters: %s", got)
	}
	if got := wire.Quote(strings.Repeat("長", 500)); utf8.RuneCountInString(got) != 203 {
		t.Errorf("a long text: %d characters", utf8.RuneCountInString(got))
	}
	got := wire.Quote("sig=a*b-c_ and a%2Ab-c_ and key", "a*b-c_", "key", "")
	if got != `"sig=(secret) and (secret) and (secret)"` {
		t.Errorf("secrets: %s", got)
	}
}

func TestAVendorsWordsComeThrough(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"签名错误，请检查。", "userId is required.", "userId<u0000001> is not exist.", "invalid App-Key.", "group not exist or has been dissolved",
		"request over limit, 200/s", "no such path: /entrust/group/member/query.json", "group_open_http_svc/get_role_in_group is disabled",
		"https://elsewhere.example.com/v4/group?x=1", "err 10018: packet too large (1048576 bytes)", "2026-11-28T03:00:00Z",
		"100% of 5 &amp; more", `C:\temp\new`, "a = b; c = d",
	} {
		if got := wire.Quote(text, "5bd2850fff3ecb11d7c805251c51ee46", "eJwtzEELgjAYxvHvsrPI3nVjDrp4KAIPIg7C"); got != strconv.Quote(text) {
			t.Errorf("%q became %s", text, got)
		}
	}
}

func TestWhatLooksLikeASecretIsHiddenThoughNobodyNamedIt(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		sig(1), sig(1)[:21], strings.ToUpper(sig(2)), strings.ToLower(sig(2)), strings.Repeat("a", 21), hex.EncodeToString([]byte(sig(3))[:20]),
		url.QueryEscape(sig(4)), url.QueryEscape(url.QueryEscape(sig(4))), "5bd2850fff3ecb11d7c805251c51ee463a25727b",
	} {
		got := wire.Quote("before "+secret+" behind", "another secret")
		if got != `"before (hidden) behind"` && got != `"before (hidden)_ behind"` && strings.Contains(got, secret[:12]) {
			t.Errorf("%q became %s", secret, got)
		}
	}
}

// sig is like a UserSig.
func sig(seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 7))
	raw := make([]byte, 150)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	return strings.NewReplacer("+", "*", "/", "-", "=", "_").Replace(base64.StdEncoding.EncodeToString(raw))
}

// spellings are ways in which a text can come back.
func spellings() []func(string, *rand.Rand) string {
	each := func(spell func(r rune) string) func(string, *rand.Rand) string {
		return func(s string, r *rand.Rand) string {
			part := r.IntN(3) // none but what must be escaped, some, all
			var b strings.Builder
			for _, c := range s {
				plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
				if plain && (part == 0 || part == 1 && r.IntN(2) == 0) {
					b.WriteRune(c)
				} else {
					b.WriteString(spell(c))
				}
			}
			return b.String()
		}
	}
	swap := func(pairs ...string) func(string, *rand.Rand) string {
		return func(s string, _ *rand.Rand) string { return strings.NewReplacer(pairs...).Replace(s) }
	}
	return []func(string, *rand.Rand) string{
		func(s string, _ *rand.Rand) string { return s },
		func(s string, _ *rand.Rand) string { return url.QueryEscape(s) },
		func(s string, _ *rand.Rand) string { return strings.ToUpper(s) },
		func(s string, _ *rand.Rand) string { return strings.ToLower(s) },
		func(s string, _ *rand.Rand) string { return html.EscapeString(s) },
		func(s string, _ *rand.Rand) string { return strings.Trim(strconv.Quote(s), `"`) },
		swap("*", "+", "-", "/", "_", "="), swap("*", "-", "-", "_", "_", ""), swap("/", `\/`), swap("*", " ", "+", " "), swap("*", "", "-", "", "_", ""),
		each(func(r rune) string { return fmt.Sprintf("%%%02X", r) }),
		each(func(r rune) string { return fmt.Sprintf("%%%02x", r) }),
		each(func(r rune) string { return fmt.Sprintf("%%u%04x", r) }),
		each(func(r rune) string { return fmt.Sprintf(`\u%04x`, r) }),
		each(func(r rune) string { return fmt.Sprintf(`\u%04X`, r) }),
		each(func(r rune) string { return fmt.Sprintf(`\x%02x`, r) }),
		each(func(r rune) string { return fmt.Sprintf(`\%03o`, r) }),
		each(func(r rune) string { return fmt.Sprintf("&#%d;", r) }),
		each(func(r rune) string { return fmt.Sprintf("&#x%x;", r) }),
		each(func(r rune) string { return string(r) + " " }),
		each(func(r rune) string { return string(r) + "\n" }),
	}
}

// FuzzQuote sends a secret back in any spelling, whole or in part, with words around it: what is left
// holds no twelve letters of it in a row, however it is read.
func FuzzQuote(f *testing.F) {
	for seed := range uint64(400) {
		f.Add(seed, "invalid sig: ", " (code 70003)", uint16(seed*7), uint16(300))
	}
	f.Add(uint64(1), `\`, "u002a", uint16(0), uint16(30))
	f.Add(uint64(2), "%2", "&#4", uint16(3), uint16(15))
	f.Fuzz(func(t *testing.T, seed uint64, before, behind string, from, length uint16) {
		r := rand.New(rand.NewPCG(seed, 1))
		secret := sig(seed)
		if seed%3 == 0 { // like an App Secret, which may hold any letters
			sum := sha256.Sum256([]byte(secret))
			secret = "k!" + hex.EncodeToString(sum[:])[:14] + "%&/x="
		}
		start := int(from) % len(secret)
		part := secret[start:min(len(secret), start+int(length))]
		for range r.IntN(4) {
			ways := spellings()
			part = ways[r.IntN(len(ways))](part, r)
		}
		got, err := strconv.Unquote(wire.Quote(before+part+behind, secret))
		if err != nil {
			t.Fatal(err)
		}
		if utf8.RuneCountInString(got) > 201 {
			t.Errorf("%d characters are kept", utf8.RuneCountInString(got))
		}
		for _, reading := range readings(got) {
			if twelve := shared(bare(reading), bare(secret)); twelve != "" && !strings.Contains(bare(before+behind), twelve) {
				t.Fatalf("%q of the secret is left in %q, sent as %q", twelve, got, part)
			}
		}
	})
}

// readings are a text and what people and programs make of it.
func readings(text string) []string {
	all := []string{text}
	for range 4 {
		if decoded, err := url.PathUnescape(text); err == nil {
			text = decoded
		}
		text = html.UnescapeString(text)
		if decoded, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, "") + `"`); err == nil {
			text = decoded
		}
		all = append(all, text)
	}
	return all
}

// bare is text without case, and without what is no letter or digit.
func bare(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(text))
}

// shared is what twelve letters of secret stand in text; empty for none.
func shared(text, secret string) string {
	for i := 0; i+12 <= len(secret); i++ {
		if strings.Contains(text, secret[i:i+12]) {
			return secret[i : i+12]
		}
	}
	return ""
}
