package cli

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// trigger is a buffer that does something once when a text has been written to it.
type trigger struct {
	*bytes.Buffer
	at   string
	do   func()
	once sync.Once
}

// Write looks for the text in all that was written so far.
func (w *trigger) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if strings.Contains(w.String(), w.at) {
		w.once.Do(w.do)
	}
	return n, err
}

// realTime runs one command line on a clock that runs, from midnight of its --date or the tests' date. Signals,
// where given, get an interrupt as soon as keys are being fetched.
func realTime(t *testing.T, signals chan os.Signal, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := testEnv(&stdout, &stderr, args...)
	begun, from := time.Now(), midnight
	if i := slices.Index(args, "--date"); i >= 0 && i+1 < len(args) {
		if day, err := time.Parse(time.DateOnly, args[i+1]); err == nil {
			from = day
		}
	}
	env.Now = func() time.Time { return from.Add(time.Since(begun)) }
	env.Random = rand.Uint64
	if signals != nil {
		env.Signals = signals
		env.Stderr = &trigger{Buffer: &stderr, at: "fetching", do: func() { signals <- os.Interrupt }}
	}
	code := Main(t.Context(), env)
	return outcome{code, stdout.String(), stderr.String()}
}
