package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"rollcall/schema/fault"
	"rollcall/sinks/signature"
)

const aboutKeygen = `Makes a key that signs manifests (Ed25519): NAME.pem, the private half, which only the run may read, and
NAME.pub, which auditors get in another way than through the sink. No file that is there is overwritten.
The run signs with

  snapshot {
    sign { ed25519_key = file("NAME.pem") }
  }

and "rollcall verify --public-key NAME.pub" proves what it sealed.

--rotate makes a key that takes the place of another, and NAME.endorsement, in which the old key says
so: name it in the configuration, after those of earlier rotations, and the old public key goes on
proving everything. Then the old private key is needed no more: destroy it. Against a key that was
stolen rotation does not help; begin with a new key, and keep the SHA-256 of the last manifest.`

// keygenAnswer is what was made, as a script reads it.
type keygenAnswer struct {
	ID          string `json:"key_id"`
	Private     string `json:"private_key"` // path
	Public      string `json:"public_key"`
	Endorsement string `json:"endorsement,omitempty"`
	EndorsedBy  string `json:"endorsed_by,omitempty"` // ID of the old key
}

func (a *app) keygenCommand() *cobra.Command {
	var name, old string
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "make a key that signs manifests, or one that takes its place",
		Long:  aboutKeygen,
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			made, err := a.keygen(name, old)
			if err != nil {
				return err
			}
			if a.flags.json {
				return a.answer(made)
			}
			a.showKey(made)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "out", "rollcall-key", "write `NAME`.pem and NAME.pub")
	cmd.Flags().StringVar(&old, "rotate", "", "let the new key take the place of the private key in this `FILE`")
	return cmd
}

// keygen makes the files of a new key. Where one of them can't be written, none is left.
func (a *app) keygen(name, old string) (keygenAnswer, error) {
	if name == "" {
		return keygenAnswer{}, misused("give it a name, such as --out rollcall-key", "--out is empty")
	}
	key, err := signature.Generate(a.env.Entropy)
	if err != nil {
		return keygenAnswer{}, err
	}
	private, err := key.PEM()
	if err != nil {
		return keygenAnswer{}, err
	}
	made := keygenAnswer{ID: key.ID(), Private: name + ".pem", Public: name + ".pub"}
	files := []keyFile{{made.Private, private, 0o600}, {made.Public, key.Public().PEM(), 0o644}}
	if old != "" {
		by, endorsement, err := endorse(old, key.Public())
		if err != nil {
			return made, err
		}
		made.EndorsedBy, made.Endorsement = by, name+".endorsement"
		files = append(files, keyFile{made.Endorsement, endorsement, 0o644})
	}
	return made, writeAll(files)
}

// endorse lets the key in a file state that key takes its place.
func endorse(file string, key signature.PublicKey) (by string, encoded []byte, err error) {
	text, err := readKeyFile("--rotate", file)
	if err != nil {
		return "", nil, err
	}
	old, err := signature.ParsePrivateKey(text)
	if err != nil {
		return "", nil, fault.Wrap(err, "--rotate %s", file)
	}
	encoded, err = signature.Endorse(old, key).Encode()
	return old.ID(), encoded, err
}

// publicKey reads a file with a public key.
func publicKey(file string) (signature.PublicKey, error) {
	text, err := readKeyFile("--public-key", file)
	if err != nil {
		return signature.PublicKey{}, err
	}
	key, err := signature.ParsePublicKey(text)
	return key, fault.Wrap(err, "--public-key %s", file)
}

// readKeyFile reads the file that a flag names.
func readKeyFile(flag, file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if cause, is := errors.AsType[*fs.PathError](err); is {
		return nil, misused("check the path, and who may read the file", "%s %s can't be read: %v", flag, file, cause.Err)
	}
	return text, err
}

// keyFile is one file to be written.
type keyFile struct {
	path    string
	content []byte
	mode    fs.FileMode
}

// writeAll writes files that must not be there yet: all of them, or none.
func writeAll(files []keyFile) error {
	for i, f := range files {
		err := f.write()
		if err == nil {
			continue
		}
		for _, written := range files[:i] {
			err = errors.Join(err, os.Remove(written.path))
		}
		return err
	}
	return nil
}

func (f keyFile) write() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
	if errors.Is(err, fs.ErrExist) {
		return misused("give another name with --out: a key that is gone proves nothing any more", "%s is already there and is not overwritten", f.path)
	}
	if cause, is := errors.AsType[*fs.PathError](err); is {
		return misused("name another place with --out", "%s can't be written: %v", f.path, cause.Err)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(f.content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		err = errors.Join(err, os.Remove(f.path))
	}
	return err
}

// showKey says what was made, and what to do with it.
func (a *app) showKey(k keygenAnswer) {
	w := a.out.Printer()
	w.Printf("Made the key %s\n", k.ID)
	w.Printf("  %s: the private half. Only the run may read it; it can't be made again\n", k.Private)
	w.Printf("  %s: the public half. Give it to the auditors in another way than through the sink\n", k.Public)
	sign := fmt.Sprintf("ed25519_key = file(%q)", k.Private)
	if k.Endorsement == "" {
		w.Printf("In the snapshot block of the configuration: sign { %s }\n", sign)
		return
	}
	w.Printf("  %s: the word of the key %s that this one takes its place\n", k.Endorsement, k.EndorsedBy)
	w.Printf("In the configuration, in the place of the old key, and after the endorsements of earlier rotations:\n  sign {\n    %s\n    endorsements = [file(%s)]\n  }\n", sign, strconv.Quote(k.Endorsement))
	w.Printf("The old public key goes on proving everything. Once a night is sealed with the new key, destroy the old private one.\n")
}
