package main_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"testing"
)

// TestCommandsInAdviceAreData: a command in a text knows nothing of the flags that a person gave. Typed as it
// stands, it reads another configuration and another state folder.
func TestCommandsInAdviceAreData(t *testing.T) {
	t.Parallel()
	command := regexp.MustCompile(`rollcall (demo|init|validate|plan|run|status|snapshots|verify|diff|reconcile|explain|sql|report|simulate|keygen|help)\b`)
	inTicks := regexp.MustCompile("`rollcall [a-z]")
	documents := []string{"schema/markdown.go", "pipeline/state/layout.go", "pipeline/report/words.go"} // read by people who typed nothing
	for _, f := range load(t).files {
		if f.test || f.kit || slices.Contains(documents, f.path) {
			continue
		}
		forbidden := command
		if under(f.pkg, "cmd/export") {
			forbidden = inTicks // the commands' own help names commands without flags
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING && forbidden.MatchString(text.Value) {
				t.Errorf("%s:%d writes a command as text: give it as an advice.Command, which the command line renders with the flags that were given", f.path, f.line(n))
			}
			return true
		})
	}
}
