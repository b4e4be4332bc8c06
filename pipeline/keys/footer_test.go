package keys_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"rollcall/pipeline/keys"
	"rollcall/schema/fault"
)

// TestAFooterThatAListClaimsCostsNoMemory runs alone, since all tests of a process share the count.
func TestAFooterThatAListClaimsCostsNoMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ids.parquet")
	if err := os.WriteFile(path, []byte("PAR1....\xf0\xff\xff\x7fPAR1"), 0o600); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := keys.Read(t.Context(), keys.ImportOptions{Path: path, Temp: t.TempDir()}, func([]byte) error { return nil })
	runtime.ReadMemStats(&after)
	if fault.KindOf(err) != fault.Configuration {
		t.Errorf("got %v", err)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 100<<20 {
		t.Errorf("%d MiB were allocated", allocated>>20)
	}
}
