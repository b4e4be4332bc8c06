package state_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"rollcall/pipeline/state"
	"rollcall/schema/fault"
)

// FuzzNight reads any text as a night's memory: it is that of a night or a fault that says what to do.
func FuzzNight(f *testing.F) {
	dir := f.TempDir()
	folder, err := state.Open(state.Options{Path: dir, Random: func() uint64 { return 1 }, Holder: me})
	if err != nil {
		f.Fatal(err)
	}
	night, _, err := folder.Begin("2026-11-21", []string{"sources: rongcloud.prod"}, time.Unix(1, 0))
	if err != nil {
		f.Fatal(err)
	}
	folder.Close()
	file := filepath.Join(night.Path, "night.json")
	whole, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, true)
	f.Add(whole, false)
	f.Add(whole[:len(whole)-3], false)
	f.Add([]byte(`{"date":"2026-11-21","started":7}`+"\n"), true)
	f.Add([]byte("crc32c 00000000\n"), false)
	f.Fuzz(func(t *testing.T, text []byte, stamped bool) {
		if stamped {
			text = state.Stamp(append(text, '\n'))
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		nights, err := state.Nights(dir)
		if err == nil && len(nights) == 1 && nights[0].Path == night.Path {
			return
		}
		if kind := fault.KindOf(err); kind != fault.Bug && kind != fault.Configuration || fault.HintOf(err) == "" {
			t.Errorf("%d nights, and not a fault with a hint: %v", len(nights), err)
		}
	})
}
