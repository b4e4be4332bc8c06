// Package process names a process so that others can tell later, for certain, whether it still lives.
//
// A process ID alone proves nothing: it is given again after a process has ended, after a boot, and in
// every container. An [Identity] therefore has the machine, its boot, the namespaces in which the ID counts
// and when the process started. [Table.Look] answers Dead or Alive only where all of that can be compared;
// everywhere else, and on systems without Linux's /proc, it answers Unknown, and who asks must not act as
// if the process were dead.
//
// What can't be told apart: virtual machines that were resumed several times from one image of their memory.
package process

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Identity names one process of one boot of one machine. The zero value names none.
type Identity struct {
	Machine   string `json:"machine,omitzero"`   // a hash of the machine's ID, which is not for others to see
	Boot      string `json:"boot,omitzero"`      // a hash of the boot's random ID; empty: this system tells none
	Namespace string `json:"namespace,omitzero"` // of process IDs and of time
	PID       int    `json:"pid,omitzero"`
	Started   uint64 `json:"started,omitzero"` // clock ticks after the boot
}

// Known tells whether the identity says all that a proof needs.
func (i Identity) Known() bool {
	return i.Boot != "" && i.Namespace != "" && i.PID > 0 && i.Started > 0
}

// neighbours tells whether both processes are in one table of processes.
func (i Identity) neighbours(other Identity) bool {
	return i.Known() && other.Known() && i.Machine == other.Machine && i.Boot == other.Boot && i.Namespace == other.Namespace
}

// Liveness is what can be told of a process.
type Liveness int

// What can be told. Only Alive and Dead are certain.
const (
	Unknown Liveness = iota
	Alive
	Dead
)

// Table is the processes that this one can see.
type Table struct {
	self Identity
	root string
	gone func(pid int) bool
}

// NewTable makes the table of the machine whose file system begins at root ("/"), as the process pid sees
// it. Host stands in for a machine that has no ID. Gone tells for certain that there is no process of that
// ID; see [Gone].
func NewTable(root, host string, pid int, gone func(pid int) bool) *Table {
	t := &Table{root: root, gone: gone}
	t.self = Identity{Machine: t.machine(host), PID: pid}
	if link, err := os.Readlink(t.path("proc/self")); err != nil || filepath.Base(link) != strconv.Itoa(pid) {
		return t // there is no /proc, or it is that of another namespace
	}
	ids, err := os.Readlink(t.path("proc/self/ns/pid"))
	if err != nil {
		return t
	}
	clock, _ := os.Readlink(t.path("proc/self/ns/time")) // older kernels have one for all
	boot, err := os.ReadFile(t.path("proc/sys/kernel/random/boot_id"))
	if err != nil {
		return t
	}
	t.self.Boot, t.self.Namespace = hashed("boot", string(boot)), strings.TrimSpace(ids+" "+clock)
	t.self.Started, _, _ = t.stat(pid)
	return t
}

// Self is the process that looks.
func (t *Table) Self() Identity { return t.self }

// Look tells whether a process lives.
func (t *Table) Look(i Identity) Liveness {
	if !i.neighbours(t.self) {
		return Unknown
	}
	started, ended, err := t.stat(i.PID)
	switch {
	case err != nil && t.gone(i.PID):
		return Dead
	case err != nil:
		return Unknown // it is there, and not for us to see
	case started != i.Started, ended:
		return Dead
	default:
		return Alive
	}
}

// stat reads when a process started, and whether it has ended and only waits for its parent.
func (t *Table) stat(pid int) (started uint64, ended bool, err error) {
	text, err := os.ReadFile(t.path("proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, false, err
	}
	// The name, in parentheses, may hold anything: what follows begins with the state, and has the start as the 20th.
	fields := strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+1:])
	if len(fields) < 20 {
		return 0, false, errors.New("/proc/PID/stat has too few fields")
	}
	started, err = strconv.ParseUint(fields[19], 10, 64)
	return started, fields[0] == "Z" || fields[0] == "X", err
}

func (t *Table) machine(host string) string {
	for _, file := range []string{"etc/machine-id", "var/lib/dbus/machine-id"} {
		if id, err := os.ReadFile(t.path(file)); err == nil && strings.TrimSpace(string(id)) != "" {
			return hashed("machine", string(id))
		}
	}
	return hashed("host", host)
}

func (t *Table) path(parts ...string) string {
	return filepath.Join(append([]string{t.root}, parts...)...)
}

func hashed(what, id string) string {
	sum := sha256.Sum256([]byte("rollcall " + what + " " + strings.TrimSpace(id)))
	return hex.EncodeToString(sum[:8])
}

// Gone asks the operating system: it is true where there is no process of that ID, whosever it is.
func Gone(pid int) bool {
	found, err := os.FindProcess(pid)
	if err != nil {
		return false // this system can't tell
	}
	return errors.Is(found.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
