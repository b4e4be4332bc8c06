package client_test

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/schema/fault"
)

// Asking again would cost the key in vain: the run stops, and a person raises the limit.
func TestNoFileForASocketStopsTheRunAtOnce(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"a socket":                 &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)},
		"of the whole system":      &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.ENFILE)},
		"to ask the name's server": &net.DNSError{Name: "vendor.example", Err: "dial udp 10.0.0.2:53: socket: too many open files"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := &vendor{latency: time.Millisecond, answer: breaks(err)}
				got := endpoint(v, 100, nil).Caller().Call(t.Context(), plain(build, read))
				if fault.KindOf(got) != fault.Bug || got.Error() != "no connection to vendor.example can be opened: too many open files" || !strings.Contains(fault.HintOf(got), "ulimit -n") || len(v.seen) != 1 {
					t.Errorf("after %d attempts: %v (%v)", len(v.seen), got, fault.KindOf(got))
				}
			})
		})
	}
}
