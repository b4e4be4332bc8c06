package config

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"rollcall/schema/advice"
	"rollcall/schema/fault"
	"rollcall/sinks/signature"
)

// signingKey is the attribute that holds a private key.
const signingKey = "ed25519_key"

// readSign reads who signs manifests.
func (s *section) readSign() {
	for i, block := range s.blocks("sign") {
		if i > 0 {
			s.fault(block.DefRange(), "There is a second sign block", "A manifest has one signature. Keep one of them; what proves that one key took the other's place goes into endorsements.")
			continue
		}
		s.job.Sign = s.loader.readSigner(block)
	}
}

// readSigner reads one sign block. Without secrets nothing of it is evaluated, since those who only
// read need neither key nor endorsements.
func (l *loader) readSigner(block *hclsyntax.Block) *signature.Signer {
	s := l.section(block)
	signer := &signature.Signer{}
	key, endorsements := s.get(signingKey), s.get("endorsements")
	if key == nil {
		s.missing(signingKey, fmt.Sprintf(`Give it, as in: %s = file("rollcall-key.pem"). {} makes one.`, signingKey))
		s.diags[len(s.diags)-1].Extra = []advice.Command{advice.Rollcall("keygen")}
	} else if s.checkSecret(key) && s.options.Secrets {
		s.readKey(signer)
	}
	if endorsements != nil && s.options.Secrets {
		s.readEndorsements(signer)
	}
	s.end()
	return signer
}

// readKey reads the private key. No message says anything of what is in it.
func (s *section) readKey(signer *signature.Signer) {
	text, ok := s.needText(signingKey, `file("rollcall-key.pem")`)
	if !ok {
		return
	}
	key, err := signature.ParsePrivateKey([]byte(text))
	if err != nil {
		s.refuse(signingKey, fmt.Sprintf("%s is no key to sign with", signingKey), err)
		return
	}
	signer.Key = key
}

// readEndorsements reads the way from the first key to the one that signs.
func (s *section) readEndorsements(signer *signature.Signer) {
	texts, ok := s.texts("endorsements")
	if !ok {
		return
	}
	for i, text := range texts {
		e, err := signature.ParseEndorsement([]byte(text))
		if err != nil {
			s.refuse("endorsements", fmt.Sprintf("The %s of the endorsements can't be used", ordinal(i+1)), err)
			return
		}
		signer.Endorsements = append(signer.Endorsements, e)
	}
	if signer.Key.IsZero() {
		return // told already
	}
	if err := signer.Check(); err != nil {
		s.refuse("endorsements", "The endorsements don't lead to the key that signs", &fault.Error{
			Kind: fault.Configuration, Message: err.Error(), Hint: "name the .endorsement files of all rotations, the oldest first",
		})
	}
}

// refuse tells why a value can't be used, as a fault says it.
func (s *section) refuse(name, problem string, err error) {
	reason, todo := err.Error(), fault.AdviceOf(err)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		reason = f.Message
	}
	s.fault(s.where(name), problem+": "+reason, sentence(todo.Text))
	s.diags[len(s.diags)-1].Extra = todo.Commands
}

// ordinal is "1st" or "12th".
func ordinal(n int) string {
	switch {
	case n%100 >= 11 && n%100 <= 13:
	case n%10 == 1:
		return fmt.Sprintf("%dst", n)
	case n%10 == 2:
		return fmt.Sprintf("%dnd", n)
	case n%10 == 3:
		return fmt.Sprintf("%drd", n)
	}
	return fmt.Sprintf("%dth", n)
}
