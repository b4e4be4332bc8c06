package config

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// callFault is what a function says about its call.
type callFault struct{ summary, detail string }

func (f *callFault) Error() string { return f.summary }

// env is the function env(NAME) or env(NAME, DEFAULT). A forgiving one gives an unknown value
// where a variable without a default is not set.
func (l *loader) env(forgiving bool) function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "name", Type: cty.String}},
		VarParam: &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true},
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) > 2 {
				return cty.NilVal, &callFault{"env() takes a name and one default", `Write env("NAME") or env("NAME", "default").`}
			}
			name := args[0].AsString()
			if value, set := l.options.Env(name); set {
				return l.envText(name, value)
			}
			if len(args) == 2 && !(forgiving && args[1].IsNull()) {
				return convert.Convert(args[1], cty.String)
			}
			if forgiving {
				return cty.UnknownVal(cty.String), nil
			}
			return cty.NilVal, &callFault{
				fmt.Sprintf("The environment variable %s is not set", name),
				fmt.Sprintf(`Set it before Rollcall starts: export %s=…`, name),
			}
		},
	})
}

func (l *loader) envText(name, value string) (cty.Value, error) {
	if !utf8.ValidString(value) {
		return cty.NilVal, &callFault{fmt.Sprintf("The environment variable %s is not valid UTF-8", name), "Set it to a text."}
	}
	return cty.StringVal(value), nil
}

// file is the function file(PATH): the text of a file less one line break at its end.
func (l *loader) file(forgiving bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path := args[0].AsString()
			content, err := l.options.ReadFile(l.localPath(path))
			switch {
			case err != nil && forgiving:
				return cty.UnknownVal(cty.String), nil
			case err != nil:
				return cty.NilVal, &callFault{
					fmt.Sprintf("%s cannot be read: %s", path, reason(err)),
					"Check the path, which counts from the configuration's folder, and who may read the file.",
				}
			case !utf8.Valid(content):
				return cty.NilVal, &callFault{fmt.Sprintf("%s is not valid UTF-8", path), "Save it as a text."}
			}
			text := strings.TrimSuffix(string(content), "\n")
			return cty.StringVal(strings.TrimSuffix(text, "\r")), nil
		},
	})
}
