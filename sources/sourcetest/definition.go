package sourcetest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"rollcall/schema"
	"rollcall/sources"
)

func checkDefinition(t *testing.T, o Options) {
	d := o.Definition
	if d.Type == "" || d.Type != strings.ToLower(d.Type) || d.Title == "" || d.Doc == "" {
		t.Errorf("type %q, title %q and doc %q must be there, the type in lower case", d.Type, d.Title, d.Doc)
	}
	if len(d.Data) == 0 {
		t.Error("a vendor without data blocks")
	}
	seen := map[string]bool{}
	for _, data := range d.Data {
		if seen[data.Name] || data.Name == "" {
			t.Errorf("data block %q has no name of its own", data.Name)
		}
		seen[data.Name] = true
		checkData(t, data)
		if found, ok := d.Find(data.Name); !ok || found.Path != data.Path {
			t.Errorf("Find(%q) = %+v, %v", data.Name, found, ok)
		}
	}
	if d.Config == nil || d.Config() == d.Config() {
		t.Error("Config must give a fresh pointer each time")
	}
}

func checkData(t *testing.T, data sources.Data) {
	if !strings.HasPrefix(data.Path, "/") || data.Doc == "" || strings.Contains(data.Doc, "\n") {
		t.Errorf("%s: path %q must begin with / and doc %q must be one line", data.Name, data.Path, data.Doc)
	}
	if data.PerSecond <= 0 || data.PageSize <= 0 {
		t.Errorf("%s: budget %v and page size %d must be positive", data.Name, data.PerSecond, data.PageSize)
	}
	if (data.Key == sources.RoleKey) != (data.Batch > 0) {
		t.Errorf("%s: batch %d, which role keys have and others don't", data.Name, data.Batch)
	}
	views := map[sources.KeyKind]schema.View{sources.UserKey: schema.UserView, sources.GroupKey: schema.GroupView, sources.RoleKey: schema.RoleView}
	if data.View != views[data.Key] {
		t.Errorf("%s: its rows are a %v, which does not fit its key", data.Name, data.View)
	}
}

func checkCases(t *testing.T, o Options) {
	for _, data := range o.Definition.Data {
		var any, only, topics bool
		for _, c := range o.Cases {
			if c.Question.Data == data.Name {
				any = true
				only = only || len(c.Question.Only) > 0
				topics = topics || c.Question.Topics
			}
		}
		if !any || data.Only && !only || data.Topics && !topics {
			t.Errorf("%s lacks a case: any %v, with Only %v, with Topics %v", data.Name, any, only, topics)
		}
	}
}

const endpointOfNobody = "https://chat.example.com"

// attribute is one field of a configuration.
type attribute struct {
	name     string
	required bool
	field    reflect.StructField
	value    reflect.Value
}

func attributes(t *testing.T, config sources.Config) []attribute {
	v := reflect.ValueOf(config)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		t.Fatalf("Config is a %T, not a pointer to a struct", config)
	}
	var all []attribute
	for i := range v.Elem().NumField() {
		f := v.Elem().Type().Field(i)
		name, rest, _ := strings.Cut(f.Tag.Get("hcl"), ",")
		all = append(all, attribute{name, rest != "optional", f, v.Elem().Field(i)})
	}
	return all
}

func secrets(t *testing.T, config sources.Config) []string {
	var all []string
	for _, a := range attributes(t, config) {
		if s, ok := a.value.Interface().(schema.Secret); ok && s != "" {
			all = append(all, s.Reveal())
		}
	}
	return all
}

func checkConfig(t *testing.T, o Options) {
	config := o.Config(endpointOfNobody)
	if problems := config.Validate(); len(problems) > 0 {
		t.Errorf("the valid configuration has faults: %+v", problems)
	}
	if len(secrets(t, config)) == 0 {
		t.Error("no attribute of type schema.Secret has a value")
	}
	account := config.Account()
	if account.AppID == "" || account.Endpoint != endpointOfNobody {
		t.Errorf("account %+v must name the app and %s", account, endpointOfNobody)
	}
	mustHide(t, fmt.Sprintf("%+v", account), secrets(t, config)...)
	checkTags(t, o)
	checkEndpoints(t, o)
	for i, a := range attributes(t, config) {
		if a.required {
			broken := o.Config(endpointOfNobody)
			attributes(t, broken)[i].value.SetZero()
			mustBlame(t, broken, a.name, "empty")
		}
		if a.field.Type == reflect.TypeFor[schema.Secret]() {
			for what, change := range map[string][2]string{
				"ending in a line break": {"", "\n"}, "beginning with a byte order mark": {"\ufeff", ""}, "ending in a no-break space": {"", "\u00a0"},
				"with a blank before it": {" ", ""}, "with a letter that is not ASCII": {"", "é1"},
			} {
				broken := o.Config(endpointOfNobody)
				value := attributes(t, broken)[i].value
				value.SetString(change[0] + value.String() + change[1])
				mustBlame(t, broken, a.name, what)
			}
		}
	}
}

func checkTags(t *testing.T, o Options) {
	seen := map[string]bool{}
	for _, a := range attributes(t, o.Definition.Config()) {
		if a.name == "" || seen[a.name] || a.field.Tag.Get("doc") == "" {
			t.Errorf("field %s needs an hcl tag of its own and a doc tag", a.field.Name)
		}
		seen[a.name] = true
		if want := a.field.Tag.Get("default"); !a.value.IsZero() && fmt.Sprint(a.value.Interface()) != want {
			t.Errorf("%s is %v by default, its tag says %q", a.name, a.value.Interface(), want)
		}
		if a.required && !a.value.IsZero() {
			t.Errorf("%s is required and has a default", a.name)
		}
	}
}

func checkEndpoints(t *testing.T, o Options) {
	for _, good := range []string{"http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:80", "https://im.example.org:8443", endpointOfNobody + "/"} {
		if problems := o.Config(good).Validate(); len(problems) > 0 {
			t.Errorf("endpoint %s is refused: %+v", good, problems)
		}
	}
	for _, bad := range []string{"", "chat.example.com", "ftp://chat.example.com", "http://chat.example.com", "https://",
		endpointOfNobody + "/api", endpointOfNobody + "?a=b", endpointOfNobody + "#x", "https://u:p@chat.example.com", "https://chat example", "https:chat",
		endpointOfNobody + "\u00a0", "\ufeff" + endpointOfNobody, endpointOfNobody + "\n"} {
		mustBlame(t, o.Config(bad), "endpoint", bad)
	}
	config := o.Config("http://chat.example.com")
	for _, a := range attributes(t, config) {
		if a.name == "allow_http" {
			a.value.SetBool(true)
		}
	}
	if problems := config.Validate(); len(problems) > 0 {
		t.Errorf("http is refused in spite of allow_http: %+v", problems)
	}
}

// mustBlame wants at least one problem, all of them about the attribute, with a message and a hint.
func mustBlame(t *testing.T, config sources.Config, name, what string) {
	t.Helper()
	problems := config.Validate()
	if len(problems) == 0 {
		t.Errorf("%s %q is accepted", name, what)
	}
	for _, p := range problems {
		if p.Attribute != name || p.Message == "" || p.Hint == "" {
			t.Errorf("%s %q gives %+v", name, what, p)
		}
		mustHide(t, p.Message+p.Hint, secrets(t, config)...)
	}
}

func mustHide(t *testing.T, text string, hidden ...string) {
	t.Helper()
	for _, secret := range hidden {
		if secret != "" && strings.Contains(text, secret) {
			t.Errorf("a secret stands in %q", text)
		}
		const telling = 12 // letters of a secret in a row, whatever stands between them
		shown, letters := bare(text), bare(secret)
		for i := 0; i+telling <= len(letters); i++ {
			if strings.Contains(shown, letters[i:i+telling]) {
				t.Errorf("a part of a secret, %q, stands in %q", letters[i:i+telling], text)
				break
			}
		}
	}
}

// bare is text in lower case, letters and digits alone.
func bare(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(text))
}
