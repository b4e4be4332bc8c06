package s3

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/go-json-experiment/json"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

// begun is one upload that was begun, a line of the journal.
type begun struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	Upload string `json:"upload"`
}

// journal is a local file of JSON lines. A line is on disk before the first byte of its upload is sent.
type journal struct {
	path string
	disk disk.Disk
	mu   sync.Mutex
}

// read gives what earlier runs began. A line cut short by a crash is left out: its upload got no byte,
// and listing finds it.
func (j *journal) read() ([]begun, error) {
	text, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, journalFault(err)
	}
	return parseJournal(text), nil
}

func parseJournal(text []byte) []begun {
	var all []begun
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var b begun
		if err := json.Unmarshal(lines.Bytes(), &b); err == nil && b.Bucket != "" && b.Key != "" && b.Upload != "" {
			all = append(all, b)
		}
	}
	return all
}

// add writes one line and syncs it.
func (j *journal) add(b begun) (err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	line, err := json.Marshal(b)
	if err != nil {
		return journalFault(err)
	}
	file, err := j.disk.Append(j.path, 0o600)
	if err != nil {
		return journalFault(err)
	}
	defer func() { err = journalFault(errors.Join(err, file.Close())) }()
	if _, err := file.Write(append(line, '\n')); err != nil {
		return err
	}
	return file.Sync()
}

// forget removes the journal: nothing that was begun is open any more.
func (j *journal) forget() error {
	if err := disk.Gone(j.disk, j.path); err != nil {
		return journalFault(err)
	}
	return nil
}

func journalFault(err error) error {
	if err == nil {
		return nil
	}
	return &fault.Error{Kind: fault.Bug, Message: "the journal of uploads", Err: err, Hint: "look at the state folder: is it writable, is the disk full?"}
}

// open makes the journal's folder known to be there, so that a wrong path shows before any upload.
func (j *journal) open() error {
	return journalFault(j.disk.MkdirAll(filepath.Dir(j.path), 0o700))
}
