package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"rollcall/cmd/export/console"
)

// valve is a stream whose reader reads only while it is open.
type valve struct {
	mu   sync.Mutex
	text bytes.Buffer
	err  error
	open chan struct{}
}

func (v *valve) Write(p []byte) (int, error) {
	<-v.open
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		return 0, v.err
	}
	return v.text.Write(p)
}

func (v *valve) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.text.String()
}

func shut() *valve { return &valve{open: make(chan struct{})} }

func flowing(err error) *valve {
	v := &valve{open: make(chan struct{}), err: err}
	close(v.open)
	return v
}

func TestEveryArgumentIsEscapedWhateverItsTypeAndVerb(t *testing.T) {
	t.Parallel()
	const evil = "a\x1b[2J\x00\r\n\u202e\x9b"
	type word string
	var out bytes.Buffer
	p := console.NewPrinter(&out)
	p.Printf("%s|%v|%-9s|%q|%v|%v|%s|%d|%v\n", evil, word(evil), evil, evil, []string{evil}, map[string]string{evil: evil}, errors.New(evil), 7, struct{ A string }{evil})
	p.Println(evil, &fs.PathError{Op: "open", Path: evil, Err: fs.ErrNotExist}, []byte(evil))
	table, flush := p.Table()
	table.Printf("A\tB\n%s\t%s\n", "x\ty", evil)
	flush()
	if n := strings.Count(out.String(), "\n"); n != 4 {
		t.Errorf("there are %d lines:\n%q", n, out.String())
	}
	for _, r := range strings.ReplaceAll(out.String(), "\n", "") {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' || r == '\ufffd' {
			t.Errorf("%q is printed as it is: %q", r, out.String())
		}
	}
	if !strings.HasPrefix(out.String(), `a\x1b[2J\x00\r\n\u202e\x9b|`) {
		t.Errorf("%q", out.String())
	}
}

func TestJSONStaysTheSameAndCommandsNoTerminal(t *testing.T) {
	t.Parallel()
	line, err := json.Marshal("a\x1b\u009b\u202e\u200b\U000e0001群<\u007f")
	if err != nil {
		t.Fatal(err)
	}
	safe := console.JSON(append(line, '\n'))
	var before, after string
	if err := errors.Join(json.Unmarshal(line, &before), json.Unmarshal(safe, &after)); err != nil || before != after {
		t.Errorf("%s became %s: %v", line, safe, err)
	}
	if bytes.ContainsAny(safe, "\u009b\u202e\u200b\U000e0001\u007f") || !bytes.ContainsRune(safe, '群') {
		t.Errorf("%s", safe)
	}
}

func TestNobodyWaitsForTheReaderOfTalk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stuck := shut()
		talk := console.NewTalk(stuck)
		talk.Printer().Printf("first\n")
		synctest.Wait() // it is being written, and held
		for i := range 10_000 {
			talk.Progress().Printf("progress %d\n", i)
			fmt.Fprintf(talk.Frames(), "frame %d;", i)
		}
		talk.Printer().Printf("Warning: something\n")
		begun := time.Now()
		talk.Flush(time.Second)
		talk.Flush(time.Second) // in vain before: not again
		if took := time.Since(begun); took != time.Second {
			t.Errorf("it was waited %v", took)
		}
		talk.Printer().Printf("the end")
		go func() {
			time.Sleep(time.Second / 2)
			close(stuck.open)
		}()
		talk.Close(time.Second)
		talk.Printer().Printf("nothing after\n")
		got := stuck.String()
		for _, want := range []string{"first\n(9936 lines were not shown: nobody read them)\nprogress 9936\n", "progress 9999\n", "frame 9999;", "Warning: something\n", "the end"} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is not said:\n%.300s", want, got)
			}
		}
		if strings.Contains(got, "frame 9998;") || strings.Contains(got, "nothing after") {
			t.Errorf("too much is said:\n%s", got)
		}
	})
}

func TestOfTooManySentencesTheLastAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stuck := shut()
		talk := console.NewTalk(stuck)
		talk.Printer().Printf("first\n")
		synctest.Wait()
		for i := range 10_000 {
			talk.Printer().Printf("%d %s\n", i, strings.Repeat("x", 100))
		}
		talk.Printer().Printf("Error: the last line\n")
		close(stuck.open)
		talk.Close(time.Second)
		got := stuck.String()
		if !strings.HasSuffix(got, "Error: the last line\n") || len(got) > 300<<10 || !strings.Contains(got, " lines were not shown") {
			t.Errorf("%d bytes, ending with %q", len(got), got[max(0, len(got)-100):])
		}
	})
}

func TestTalkWhoseReaderWentAwayEndsQuietly(t *testing.T) {
	t.Parallel()
	talk := console.NewTalk(flowing(&fs.PathError{Op: "write", Path: "/dev/stderr", Err: syscall.EPIPE}))
	talk.Printer().Printf("one\n")
	talk.Flush(time.Hour)
	talk.Printer().Printf("two\n")
	talk.Close(time.Hour)
}

func TestTalkOnAFullDiskGoesOnWhereThereIsRoomAgain(t *testing.T) {
	t.Parallel()
	full := flowing(syscall.ENOSPC)
	talk := console.NewTalk(full)
	talk.Printer().Printf("one\ntwo\n")
	talk.Flush(time.Hour)
	full.mu.Lock()
	full.err = nil
	full.mu.Unlock()
	talk.Printer().Printf("three\n")
	talk.Close(time.Hour)
	if want := "(2 lines were not shown: nobody read them)\nthree\n"; full.String() != want {
		t.Errorf("%q, want %q", full.String(), want)
	}
}

func TestWhatBecomesOfAnAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		out   func() *valve
		limit time.Duration
		stop  bool
		want  error
		took  time.Duration
	}{
		"it is read":                              {out: func() *valve { return flowing(nil) }},
		"its reader went away":                    {out: func() *valve { return flowing(&fs.PathError{Err: syscall.EPIPE}) }, want: console.ErrReaderGone},
		"the disk is full":                        {out: func() *valve { return flowing(&fs.PathError{Err: syscall.ENOSPC}) }, want: syscall.ENOSPC},
		"nobody reads within the limit":           {out: func() *valve { return shut() }, limit: time.Minute, want: console.ErrNotRead, took: time.Minute},
		"nobody reads, and the work is stopped":   {out: func() *valve { return shut() }, stop: true, want: context.Canceled, took: time.Second},
		"it is read although the work is stopped": {out: func() *valve { return flowing(nil) }, stop: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				if c.stop {
					stop()
				}
				before, out := 0, c.out()
				answer := console.NewAnswer(ctx, out, func() { before++ })
				answer.Limit(c.limit)
				answer.Printer().Printf("%s\n", "the answer")
				begun := time.Now()
				err := answer.Flush()
				if took := time.Since(begun); !errors.Is(err, c.want) || took != c.took || before != 1 {
					t.Errorf("after %v: %v, want %v after %v", took, err, c.want, c.took)
				}
				if again := answer.Printer().Printf("more\n"); c.want != nil && !errors.Is(again, c.want) {
					t.Errorf("then: %v", again)
				}
				select {
				case <-out.open:
				default:
					close(out.open)
				}
			})
		})
	}
}

func TestALongAnswerIsWrittenInPartsAndWhole(t *testing.T) {
	t.Parallel()
	out := flowing(nil)
	answer := console.NewAnswer(t.Context(), out, func() {})
	var want strings.Builder
	for i := range 20_000 {
		answer.Printer().Printf("line %d\n", i)
		fmt.Fprintf(&want, "line %d\n", i)
	}
	if out.String() == "" {
		t.Error("nothing is written before the end")
	}
	if err := answer.Flush(); err != nil || out.String() != want.String() {
		t.Errorf("%v: %d bytes of %d", err, len(out.String()), want.Len())
	}
}

func TestInputIsReadWholeAndGivenUpWhenTheWorkIsStopped(t *testing.T) {
	t.Parallel()
	text, err := io.ReadAll(console.NewInput(t.Context(), iotest.HalfReader(strings.NewReader(strings.Repeat("0123456789", 10_000)))))
	if err != nil || string(text) != strings.Repeat("0123456789", 10_000) {
		t.Errorf("%d bytes: %v", len(text), err)
	}
	ctx, stop := context.WithCancel(t.Context())
	silent, w := io.Pipe()
	defer w.Close()
	input := console.NewInput(ctx, silent)
	stop()
	if n, err := input.Read(make([]byte, 10)); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d bytes: %v", n, err)
	}
}
