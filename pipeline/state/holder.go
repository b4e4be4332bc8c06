package state

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"rollcall/schema/disk"
)

const holderFile = "holder.json"

// Holder is a process that works in a folder. What it says of itself is for people: the lock alone
// decides who may work.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Command string    `json:"command"` // "run"
	Since   time.Time `json:"since"`
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
