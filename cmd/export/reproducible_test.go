package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestTheSameSourceGivesTheSameBinary builds two copies of the module at different paths, as make build
// does: whoever has the source can check what was shipped.
func TestTheSameSourceGivesTheSameBinary(t *testing.T) {
	t.Parallel()
	var sums []string
	for _, name := range []string{"here", "somewhere else"} {
		folder := filepath.Join(t.TempDir(), name)
		copyModule(t, folder)
		binary := filepath.Join(folder, "bin", "rollcall")
		build := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/export")
		build.Dir = folder
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
		if talk, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, talk)
		}
		sums = append(sums, sum(t, binary))
	}
	if sums[0] != sums[1] {
		t.Errorf("the same source at two paths gave binaries with SHA-256 %s and %s: what of the path, the clock or the environment got in?", sums[0], sums[1])
	}
}

// copyModule copies what the module's packages are built from.
func copyModule(t *testing.T, to string) {
	t.Helper()
	for _, name := range []string{"go.mod", "go.sum"} {
		copyFile(t, filepath.Join(root, name), filepath.Join(to, name))
	}
	for _, folder := range []string{"cmd", "pipeline", "schema", "sinks", "sources"} {
		if err := os.CopyFS(filepath.Join(to, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func sum(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(hash.Sum(nil))
}
