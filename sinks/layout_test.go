package sinks_test

import (
	"fmt"
	"testing"

	"rollcall/sinks"
)

func TestPartsOfADate(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"users/snapshot_date=2026-11-21/part-00000.parquet":    true,
		"users/snapshot_date=2026-11-22/part-00000.parquet":    false,
		"others/snapshot_date=2026-11-21/part-00000.parquet":   false,
		"users/snapshot_date=2026-11-21/x/part-00000.parquet":  false,
		"users/snapshot_date=2026-11-21/part-00000.json":       false,
		"../users/snapshot_date=2026-11-21/part-00000.parquet": false,
		"users/snapshot_date=2026-11-21/":                      false,
	} {
		if sinks.IsPart(name, "2026-11-21") != want {
			t.Errorf("%q: want %v", name, want)
		}
	}
}

// TestManyPartsAreToldApartAtOnce is not parallel: it counts allocations of the whole process. A manifest may
// name a hundred thousand files, and every command reads every manifest.
func TestManyPartsAreToldApartAtOnce(t *testing.T) {
	isPart := sinks.Parts("2026-11-21")
	name := fmt.Sprintf("users/snapshot_date=2026-11-21/part-%05d.parquet", 7)
	if n := testing.AllocsPerRun(100, func() { isPart(name) }); n > 2 {
		t.Errorf("%v allocations for one name", n)
	}
}
