// Command sbom prints the bill of materials of a Go binary as CycloneDX 1.6 JSON: the modules that the
// binary says it was built from, with their checksums, and their licences from the reviewed list.
// The same binary gives the same bytes. Usage: sbom BINARY DEPENDENCIES
package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type bom struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type     string       `json:"type"`
	Ref      string       `json:"bom-ref"`
	Name     string       `json:"name"`
	Version  string       `json:"version,omitempty"`
	PURL     string       `json:"purl,omitempty"`
	Hashes   []hash       `json:"hashes,omitempty"`
	Licenses []expression `json:"licenses,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type expression struct {
	Expression string `json:"expression"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom BINARY DEPENDENCIES")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func write(binary, dependencies string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	list, err := os.ReadFile(dependencies)
	if err != nil {
		return err
	}
	licences := map[string]string{} // by "module version"
	for line := range strings.Lines(string(list)) {
		if parts := strings.SplitN(strings.TrimSpace(line), " ", 3); len(parts) == 3 {
			licences[parts[0]+" "+parts[1]] = parts[2]
		}
	}
	b := bom{Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{component{
		Type: "application", Ref: info.Main.Path, Name: info.Main.Path, Version: info.Main.Version, Licenses: []expression{{"Apache-2.0"}},
	}}}
	b.Components = append(b.Components, component{
		Type: "library", Ref: "std", Name: "std", Version: info.GoVersion, PURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"), Licenses: []expression{{"BSD-3-Clause"}},
	})
	for _, m := range info.Deps {
		licence := licences[m.Path+" "+m.Version]
		if licence == "" {
			return fmt.Errorf("%s %s is not in %s: go test ./cmd/export -run Dependencies -update", m.Path, m.Version, dependencies)
		}
		purl := "pkg:golang/" + m.Path + "@" + m.Version
		c := component{Type: "library", Ref: purl, Name: m.Path, Version: m.Version, PURL: purl, Licenses: []expression{{licence}}}
		if sum, ok := strings.CutPrefix(m.Sum, "h1:"); ok {
			if raw, err := base64.StdEncoding.DecodeString(sum); err == nil {
				c.Hashes = []hash{{"SHA-256", hex.EncodeToString(raw)}}
			}
		}
		b.Components = append(b.Components, c)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(b)
}
