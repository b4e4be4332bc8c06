package cli

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/dustin/go-humanize"

	"rollcall/cmd/export/console"
	"rollcall/pipeline/verify"
	"rollcall/schema/advice"
)

// showSigned says which keys signed what.
func showSigned(w console.Printer, s verify.Signed) {
	if s.Manifests == 0 {
		if len(s.Given) > 0 {
			w.Printf("  signatures: none\n")
		}
		return
	}
	w.Printf("  signatures: %s, since %s", count(s.Manifests, "manifest"), s.Since)
	if len(s.Given) > 0 {
		w.Printf("; %s proved by %s", humanize.Comma(int64(s.Proved)), count(len(s.Given), "public key"))
	}
	w.Println()
	for _, k := range s.Keys {
		w.Printf("    key %s: sequence %s", k.ID, sequence(k.First, k.Last))
		switch {
		case k.Trusted && k.After != "":
			w.Printf(", trusted; took the place of another")
		case k.Trusted:
			w.Printf(", trusted")
		case len(s.Given) > 0:
			w.Printf(", NOT TRUSTED")
		}
		w.Println()
	}
}

// sequence names the manifests from one place in the chain to another.
func sequence(first, last int64) string {
	if first == last {
		return strconv.FormatInt(first, 10)
	}
	return fmt.Sprintf("%d to %d", first, last)
}

func has(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

// showProof says what all of this is worth.
func showProof(w console.Printer, r verify.Report, say func(advice.Advice) string) {
	showSignatureProof(w, r, say)
	showHeadProof(w, r, say)
}

// showSignatureProof says what signatures prove, and what they don't.
func showSignatureProof(w console.Printer, r verify.Report, say func(advice.Advice) string) {
	s := r.Signed
	switch {
	case len(s.Given) == 0 && s.Manifests == 0:
	case len(s.Given) == 0:
		w.Printf("Signatures were held against the keys that they carry, which proves nothing about who signed: whoever can write here can\nsign with a key of their own. %s\n",
			say(advice.Say("Give a public key that came to you in another way: {}", advice.Rollcall("verify").With("public-key", "FILE"))))
	case s.Proved == 0:
		w.Printf("The public key proves nothing here.\n")
	case !r.Whole():
		w.Printf("Of %s the public key proves %s, and the files that they name. What is wrong stands above.\n", count(r.Chain.Manifests, "manifest"), humanize.Comma(int64(s.Proved)))
	default:
		w.Printf("The public key proves %s, and by them every file that was read: only who holds the private key can have sealed them.\n", count(s.Proved, "manifest"))
		if s.Linked > 0 {
			w.Printf("It proves too that the %s sealed before, without a signature, %s not been altered since %s was sealed.\n", count(s.Linked, "manifest"), has(s.Linked), s.Since)
		}
	}
}

// showHeadProof says what a hash kept elsewhere proves, or would.
func showHeadProof(w console.Printer, r verify.Report, say func(advice.Advice) string) {
	c := r.Chain
	switch {
	case c.Kept == "" && r.Signed.Proved > 0:
		w.Printf("That the newest manifests were taken away it can't show: against that, keep the SHA-256 of a manifest (each run prints it)\nand give it here too: --head HASH\n")
	case c.Kept == "":
		w.Printf("Whoever can write %s could have written all of it anew, manifests and chain included. Against that, keep the SHA-256\nof a manifest where they can't (each run prints it), and give it here: %s\n", r.Place,
			say(advice.Say("{}", advice.Rollcall("verify").With("head", cmp.Or(c.Hash, "HASH")))))
	case c.Proved == 0:
		w.Printf("The hash that was kept proves nothing here: %s\n", c.Kept)
	default:
		w.Printf("The hash that was kept proves the manifests of sequence %s.", sequence(c.From, c.Proved))
		if c.Last > c.Proved {
			w.Printf(" The %s sealed since it can't prove.", count(int(c.Last-c.Proved), "manifest"))
		}
		w.Println()
	}
}
