package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// permissive are the licences that what is linked may have: all let a company ship the binary, and
// demand no more than their own text.
func permissive() []string {
	return []string{"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "Unicode-DFS-2016", "Unlicense", "Zlib"}
}

// judged are the licences of modules whose files a person had to read. HCL's asks that changes to its own
// files be published, and is used unchanged; Arrow's is its own, followed by those of what its C++ and
// Python parts contain, of which nothing is linked.
func judged() map[string]string {
	return map[string]string{
		"github.com/hashicorp/hcl/v2":    "MPL-2.0",
		"github.com/apache/arrow/go/v15": "Apache-2.0",
	}
}

// leastCover is how much of a licence file must be the text of known licences, in percent; the rest
// is whose it is.
const leastCover = 75

// licence reads the licences in the folder of a module: their SPDX identifiers, joined by AND where there are
// several, since then each holds for a part.
func licence(module, dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var found []string
	for _, e := range entries {
		name := strings.ToUpper(strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())))
		if e.IsDir() || name != "LICENSE" && name != "LICENCE" && name != "COPYING" && name != "UNLICENSE" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		cover := licensecheck.Scan(text)
		if cover.Percent < leastCover {
			return "", fmt.Errorf("only %.0f %% of %s is the text of a licence that is known", cover.Percent, e.Name())
		}
		for _, m := range cover.Match {
			if !slices.Contains(permissive(), m.ID) && judged()[module] == "" {
				return "", fmt.Errorf("%s says %s, which is not on the list of permissive licences", e.Name(), m.ID)
			}
			found = append(found, m.ID)
		}
	}
	if spdx := judged()[module]; slices.Contains(found, spdx) {
		return spdx, nil
	}
	if len(found) == 0 {
		return "", fmt.Errorf("no licence in %s", dir)
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), " AND "), nil
}
