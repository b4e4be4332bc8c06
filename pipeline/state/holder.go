package state

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"rollcall/schema/disk"
	"rollcall/schema/process"
)

const holderFile = "holder.json"

// Holder is a process that works in a folder. It is written for people, and for who finds the lock free:
// a holder that is known to be alive has lost its lock to somebody who removed the lock's file.
type Holder struct {
	PID     int              `json:"pid"`
	Host    string           `json:"host"`
	Command string           `json:"command"` // "run"
	Since   time.Time        `json:"since"`
	Process process.Identity `json:"process,omitzero"`
}

func (f *Folder) writeHolder() error {
	text, err := json.Marshal(f.Holder)
	if err != nil {
		return err
	}
	return disk.Replace(f.disk, filepath.Join(f.Path, holderFile), fileMode, append(text, '\n'))
}

// ReadHolder tells who said last that it works in the folder. There is none where the last one gave
// the folder back; one that was killed is still named.
func ReadHolder(folder string) (h Holder, there bool, err error) {
	text, err := os.ReadFile(filepath.Join(folder, holderFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Holder{}, false, nil
	}
	if err != nil {
		return Holder{}, false, err
	}
	if json.Unmarshal(text, &h) != nil {
		return Holder{}, false, nil // it says nothing that could be told
	}
	return h, true, nil
}
