package cli

import (
	"fmt"
	"io"
	"strconv"

	"github.com/dustin/go-humanize"

	"rollcall/pipeline/verify"
)

// showSigned says which keys signed what.
func showSigned(w io.Writer, s verify.Signed) {
	if s.Manifests == 0 {
		if len(s.Given) > 0 {
			fmt.Fprintln(w, "  signatures: none")
		}
		return
	}
	fmt.Fprintf(w, "  signatures: %s, since %s", count(s.Manifests, "manifest"), s.Since)
	if len(s.Given) > 0 {
		fmt.Fprintf(w, "; %s proved by %s", humanize.Comma(int64(s.Proved)), count(len(s.Given), "public key"))
	}
	fmt.Fprintln(w)
	for _, k := range s.Keys {
		fmt.Fprintf(w, "    key %s: sequence %s", k.ID, sequence(k.First, k.Last))
		switch {
		case k.Trusted && k.After != "":
			fmt.Fprint(w, ", trusted; took the place of another")
		case k.Trusted:
			fmt.Fprint(w, ", trusted")
		case len(s.Given) > 0:
			fmt.Fprint(w, ", NOT TRUSTED")
		}
		fmt.Fprintln(w)
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
func showProof(w io.Writer, r verify.Report) {
	showSignatureProof(w, r)
	showHeadProof(w, r)
}

// showSignatureProof says what signatures prove, and what they don't.
func showSignatureProof(w io.Writer, r verify.Report) {
	s := r.Signed
	switch {
	case len(s.Given) == 0 && s.Manifests == 0:
	case len(s.Given) == 0:
		fmt.Fprintln(w, "Signatures were held against the keys that they carry, which proves nothing about who signed: whoever can write here can\nsign with a key of their own. Give a public key that came to you in another way: rollcall verify --public-key FILE")
	case s.Proved == 0:
		fmt.Fprintln(w, "The public key proves nothing here.")
	case !r.Whole():
		fmt.Fprintf(w, "Of %s the public key proves %s, and the files that they name. What is wrong stands above.\n", count(r.Chain.Manifests, "manifest"), humanize.Comma(int64(s.Proved)))
	default:
		fmt.Fprintf(w, "The public key proves %s, and by them every file that was read: only who holds the private key can have sealed them.\n", count(s.Proved, "manifest"))
		if s.Linked > 0 {
			fmt.Fprintf(w, "It proves too that the %s sealed before, without a signature, %s not been altered since %s was sealed.\n", count(s.Linked, "manifest"), has(s.Linked), s.Since)
		}
	}
}

// showHeadProof says what a hash kept elsewhere proves, or would.
func showHeadProof(w io.Writer, r verify.Report) {
	c := r.Chain
	switch {
	case c.Kept == "" && r.Signed.Proved > 0:
		fmt.Fprintln(w, "That the newest manifests were taken away it can't show: against that, keep the SHA-256 of a manifest (each run prints it)\nand give it here too: --head HASH")
	case c.Kept == "":
		fmt.Fprintf(w, "Whoever can write %s could have written all of it anew, manifests and chain included. Against that, keep the SHA-256\nof a manifest where they can't (each run prints it), and give it here: rollcall verify --head HASH\n", escape(r.Place))
	case c.Proved == 0:
		fmt.Fprintf(w, "The hash that was kept proves nothing here: %s\n", c.Kept)
	default:
		fmt.Fprintf(w, "The hash that was kept proves the manifests of sequence %s.", sequence(c.From, c.Proved))
		if c.Last > c.Proved {
			fmt.Fprintf(w, " The %s sealed since it can't prove.", count(int(c.Last-c.Proved), "manifest"))
		}
		fmt.Fprintln(w)
	}
}
