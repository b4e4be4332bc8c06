package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	_ "time/tzdata" // windows name time zones; a static binary brings them along

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty/gocty"

	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/sources"
)

// sourceBlock is one source block that names a known vendor.
type sourceBlock struct {
	job.Source
	block *hclsyntax.Block
	whole bool // all attributes were read, so that its account is known
}

func (l *loader) readSources() {
	var types []string
	for _, d := range l.options.Definitions {
		types = append(types, d.Type)
	}
	apps := map[string]*sourceBlock{}
	for _, address := range l.of("source") {
		block := l.blocks[address]
		definition, known := l.definition(block.Labels[0])
		if !known {
			l.fault(block.LabelRanges[0], fmt.Sprintf("There is no source type %q", block.Labels[0]), didYouMean(block.Labels[0], "source types", types))
			continue
		}
		s := l.readSource(block, definition)
		l.sources[s.Address] = s
		if s.whole {
			app := definition.Type + "\x00" + s.Config.Account().AppID
			if first, double := apps[app]; double && !sameBudget(first, s) {
				l.fault(block.DefRange(), fmt.Sprintf("source.%s and source.%s are one app with two budgets", first.Address, s.Address),
					fmt.Sprintf("The vendor counts by app. Give both the same share, budget and window blocks as at %s, or keep one of them.", l.place(first.block.DefRange())))
			}
			apps[app] = s
		}
	}
}

// sameBudget tells whether two sources of one app say the same of the budget that they share.
func sameBudget(a, b *sourceBlock) bool {
	return a.Share == b.Share && reflect.DeepEqual(a.Budgets, b.Budgets) && reflect.DeepEqual(a.Windows, b.Windows)
}

func (l *loader) readSource(block *hclsyntax.Block, definition sources.Definition) *sourceBlock {
	section := l.section(block)
	section.forgiving = !l.options.Secrets
	s := &sourceBlock{block: block, Source: job.Source{Address: strings.Join(block.Labels, "."), Definition: definition, Config: definition.Config(), Share: 1}}
	s.whole = section.decode(s.Config)
	if share, ok := section.share("share"); ok {
		s.Share = share
	}
	s.Budgets = section.budgets(definition)
	for _, window := range section.blocks("window") {
		if w, ok := l.readWindow(window); ok {
			s.Windows = append(s.Windows, w)
		}
	}
	section.end()
	return s
}

// decode reads a vendor's own attributes into its struct and lets it check them. It tells whether
// all were read.
func (s *section) decode(config sources.Config) bool {
	fields := reflect.ValueOf(config).Elem()
	unread := map[string]bool{}
	secrets := map[string]bool{}
	for i := range fields.NumField() {
		tag, tagged := fields.Type().Field(i).Tag.Lookup("hcl")
		if !tagged {
			continue
		}
		name, kind, _ := strings.Cut(tag, ",")
		secret := isSecret(fields.Type().Field(i))
		if !s.decodeField(name, kind == "optional", secret, fields.Field(i), fields.Type().Field(i).Tag.Get("doc")) {
			unread[name] = true
			secrets[name] = secret
		}
	}
	for _, problem := range config.Validate() {
		if !unread[problem.Attribute] {
			s.fault(s.where(problem.Attribute), strings.TrimSpace(s.origin(problem.Attribute)+" "+problem.Message), sentence(problem.Hint))
		}
	}
	for name := range secrets {
		if secrets[name] {
			delete(unread, name) // an account is known without its secrets
		}
	}
	return len(unread) == 0
}

// decodeField reads one attribute. It is false where the field could not be filled: a fault, or a
// value that is not asked for.
func (s *section) decodeField(name string, optional, secret bool, field reflect.Value, doc string) bool {
	attribute := s.get(name)
	if attribute == nil {
		if !optional {
			s.missing(name, fmt.Sprintf("Give %s.", doc))
		}
		return optional
	}
	if secret {
		if !s.checkSecret(attribute) || !s.options.Secrets {
			return false
		}
	}
	want, err := gocty.ImpliedType(field.Addr().Interface())
	if err != nil {
		s.fault(attribute.NameRange, fmt.Sprintf("%s cannot be configured", name), "This is a fault of the vendor's package.")
		return false
	}
	before := len(s.diags)
	v, ok := s.value(name, want)
	if len(s.diags) > before {
		return false
	}
	if !ok {
		if v.IsKnown() && v.IsNull() && !optional {
			s.missing(name, fmt.Sprintf("It is null. Give %s.", doc))
		}
		return v.IsKnown() && v.IsNull() && optional
	}
	if err := gocty.FromCtyValue(v, field.Addr().Interface()); err != nil {
		s.fault(attribute.Expr.Range(), fmt.Sprintf("%s has a wrong value: %s", name, err), fmt.Sprintf("Give %s.", doc))
		return false
	}
	return true
}

func isSecret(field reflect.StructField) bool { return field.Type == reflect.TypeFor[schema.Secret]() }

// sentence makes a hint a sentence.
func sentence(hint string) string {
	if hint == "" {
		return ""
	}
	hint = strings.ToUpper(hint[:1]) + hint[1:]
	if strings.HasSuffix(hint, "?") {
		return hint
	}
	return hint + "."
}

// budgets reads the budget blocks over the vendor's defaults.
func (s *section) budgets(definition sources.Definition) map[string]job.Budget {
	budgets := map[string]job.Budget{}
	var names []string
	for _, data := range definition.Data {
		budgets[data.Name] = job.Budget{PerSecond: data.PerSecond}
		names = append(names, data.Name)
	}
	first := map[string]hcl.Range{}
	for _, block := range s.blocks("budget", "name") {
		name := block.Labels[0]
		budget, known := budgets[name]
		if !known {
			s.fault(block.LabelRanges[0], fmt.Sprintf("%s has no budget %q", definition.Title, name), didYouMean(name, "budgets", names))
			continue
		}
		if at, double := first[name]; double {
			s.fault(block.DefRange(), fmt.Sprintf("The budget %q is there twice", name), fmt.Sprintf("It was first given at %s. Keep one of them.", s.place(at)))
			continue
		}
		first[name] = block.DefRange()
		budgets[name] = s.loader.readBudget(block, budget)
	}
	return budgets
}

func (l *loader) readBudget(block *hclsyntax.Block, budget job.Budget) job.Budget {
	s := l.section(block)
	if perSecond, ok := s.number("per_second"); ok {
		if perSecond <= 0 || perSecond > 1e6 {
			s.fault(s.where("per_second"), "per_second must be above 0 and at most 1000000", "Give the requests a second that the vendor allows for this endpoint.")
		} else {
			budget.PerSecond = perSecond
		}
	}
	if pacing, ok := s.text("pacing"); ok {
		if pacing != "even" {
			s.fault(s.where("pacing"), fmt.Sprintf("There is no pacing %q", pacing), `Give "even" to use all of the budget and accept a request too many now and then, or leave pacing out to never exceed it.`)
		}
		budget.Even = pacing == "even"
	}
	s.end()
	return budget
}

// readWindow reads another share at some time of day.
func (l *loader) readWindow(block *hclsyntax.Block) (job.Window, bool) {
	before := len(l.diags)
	s := l.section(block)
	w := job.Window{TimeZone: "UTC", From: s.clock("from"), To: s.clock("to")}
	if len(l.diags) == before && w.From == w.To {
		s.fault(s.where("to"), "The window is empty", "Let from and to differ; where from is later than to, the window goes over midnight.")
	}
	share, ok := s.share("share")
	if !ok && s.block.Body.Attributes["share"] == nil {
		s.missing("share", "Give the part of the budget that Rollcall may use in this window, as in: share = 0.2")
	}
	w.Share = share
	if zone, ok := s.text("time_zone"); ok {
		w.TimeZone = zone
		if _, err := time.LoadLocation(zone); err != nil || zone == "" || zone == "Local" {
			s.fault(s.where("time_zone"), fmt.Sprintf("There is no time zone %q", zone), `Give a name as in "Asia/Shanghai", or leave it out for UTC.`)
		}
	}
	s.end()
	return w, len(l.diags) == before
}

// clock reads a time of day as minutes after midnight.
func (s *section) clock(name string) int {
	given, ok := s.needText(name, `"22:30"`)
	if !ok {
		return 0
	}
	at, err := time.Parse("15:04", given)
	if err != nil {
		s.fault(s.where(name), fmt.Sprintf("%s is no time of day", name), `Give hours and minutes, "00:00" to "23:59".`)
		return 0
	}
	return at.Hour()*60 + at.Minute()
}
