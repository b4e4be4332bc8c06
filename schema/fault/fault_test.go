package fault_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"rollcall/schema/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whatever else is advised where a file can't be opened, nothing but the limit helps here.
func TestWhereNoMoreFilesCanBeOpenedTheLimitIsTheHint(t *testing.T) {
	t.Parallel()
	for _, number := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE} {
		opened := &fs.PathError{Op: "open", Path: "list.txt", Err: number}
		for name, err := range map[string]error{
			"a file": opened, "a socket": os.NewSyscallError("socket", number), "behind a noun": fault.Wrap(opened, "ids.staff"), "one of two": errors.Join(errors.New("closed"), opened),
			"a fault with other advice": &fault.Error{Kind: fault.Configuration, Message: "the list", Hint: "is it there?", Err: opened},
			"in its chain":              fmt.Errorf("stopped: %w", &fault.Error{Kind: fault.Bug, Message: "the journal", Hint: "is the disk full?", Err: opened}),
		} {
			if hint := fault.HintOf(err); !strings.Contains(hint, "ulimit -n") {
				t.Errorf("%s (%v): %q", name, number, hint)
			}
		}
	}
	if hint := fault.HintOf(&fault.Error{Hint: "look", Err: &fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}}); hint != "look" {
		t.Errorf("another error's hint is %q", hint)
	}
}
