package sourcetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"rollcall/schema/fault"
	"rollcall/sources"
)

// checkBelieved changes answers into such as are well-formed and can't be true: what nobody can prove
// is no reading, and a total decides nothing but whether it agrees.
func checkBelieved(t *testing.T, o Options) {
	vendor := o.Server() // one for all: it is asked over and over, and only its answers are changed
	o.Server = func() http.Handler { return vendor }
	t.Run("no answer is without its total", func(t *testing.T) { checkNoTotal(t, o) })
	t.Run("null is no empty list", func(t *testing.T) { checkNoList(t, o) })
	t.Run("an answer to another question is foreign", func(t *testing.T) { checkForeign(t, o) })
	t.Run("two roles of one user contradict", func(t *testing.T) { checkTwoRoles(t, o) })
	t.Run("a total ends no walk", func(t *testing.T) { checkLaggingTotal(t, o) })
	t.Run("a walk that brings nothing new ends", func(t *testing.T) { checkBarren(t, o) })
}

// contradictory asks c of a vendor whose page k is changed at its top. The fault must be one that lets
// the host read the key again, and no page may be asked for behind the one that can't be believed.
func (o Options) contradictory(t *testing.T, c Case, k int64, what string, change func(top map[string]any)) error {
	t.Helper()
	source := o.open(t, garbled(o.Server(), func(number int64, a *answer) {
		if number == k {
			a.body = atTop(t, a.body, change)
		}
	}))
	caller := Caller{FailAt: k + 1, Failure: errCut}
	got, err := source.Ask(t.Context(), &caller, c.Question)
	if fault.KindOf(err) != fault.Transient || !reflect.DeepEqual(got, sources.Reading{}) {
		t.Errorf("%s, page %d, %s: error %v and %d rows after %d calls", c.Name, k, what, err, len(got.Rows), caller.Calls())
	}
	return err
}

func checkNoTotal(t *testing.T, o Options) {
	if slices.ContainsFunc(o.Definition.Data, func(d sources.Data) bool { return d.Total }) && len(o.TotalKeys) == 0 {
		t.Fatal("no TotalKeys are given")
	}
	for _, c := range o.Cases {
		if data, _ := o.Definition.Find(c.Question.Data); !data.Total {
			continue
		}
		for _, k := range ends(count(t, o, c)) {
			for what, value := range map[string]any{"no total": nil, "a total of null": json.RawMessage("null"), "a total of -1": -1, "a total of -3": "-3", "an empty total": ""} {
				o.contradictory(t, c, k, what, func(top map[string]any) {
					for _, key := range o.TotalKeys {
						if _, has := top[key]; has && value == nil {
							delete(top, key)
						} else if has {
							top[key] = value
						}
					}
				})
			}
		}
	}
}

func checkNoList(t *testing.T, o Options) {
	for _, c := range o.Cases {
		data, _ := o.Definition.Find(c.Question.Data)
		if data.Key == sources.RoleKey || len(c.Question.Only) > 0 || c.Question.Topics || data.Total && len(c.Want.Rows) == 0 {
			continue // who was not answered is told by name, and filtered lists prove nothing
		}
		o.contradictory(t, c, 1, "null for its list", func(top map[string]any) {
			for key, value := range top {
				if _, list := value.([]any); list {
					top[key] = nil
				}
			}
		})
		o.contradictory(t, c, 1, "its list left out", func(top map[string]any) {
			maps.DeleteFunc(top, func(_ string, value any) bool { _, list := value.([]any); return list })
		})
	}
}

// listening keeps what a source says of its answers.
type listening struct {
	Caller
	echo   string
	echoed bool
}

func (l *listening) Call(ctx context.Context, e sources.Exchange) error {
	read := e.Read
	e.Read = func(a sources.Answer) (bool, error) {
		echoed, err := read(a)
		l.echo, l.echoed = e.Echo, echoed
		return echoed, err
	}
	return l.Caller.Call(ctx, e)
}

func checkForeign(t *testing.T, o Options) {
	for _, c := range o.Cases {
		key := o.EchoKey(c.Question.Data)
		if key == "" {
			t.Fatalf("no EchoKey is given for %s", c.Question.Data)
		}
		for _, k := range ends(count(t, o, c)) {
			err := o.contradictory(t, c, k, "another key in "+key, func(top map[string]any) { top[key] = c.Question.Key + "x" })
			if !errors.Is(err, sources.ErrForeign) {
				t.Errorf("%s, page %d: %v, want ErrForeign in its chain", c.Name, k, err)
			}
		}
		source := o.open(t, garbled(o.Server(), func(_ int64, a *answer) {
			a.body = atTop(t, a.body, func(top map[string]any) { top[key] = c.Question.Key })
		}))
		l := &listening{}
		got, err := source.Ask(t.Context(), l, c.Question)
		if err != nil || l.echo == "" || !l.echoed {
			t.Errorf("%s: an answer that repeats the question is echoed %v of %q (%v)", c.Name, l.echoed, l.echo, err)
		}
		mustEqual(t, got, c.Want)
	}
}

// checkTwoRoles puts a row in twice, the second time with another role.
func checkTwoRoles(t *testing.T, o Options) {
	for _, c := range o.Cases {
		data, _ := o.Definition.Find(c.Question.Data)
		if !data.Roles || len(c.Want.Rows) == 0 {
			continue
		}
		for _, first := range []bool{true, false} {
			o.contradictory(t, c, 1, "two roles of one user", func(top map[string]any) {
				for key, value := range top {
					list, ok := value.([]any)
					if !ok || len(list) == 0 {
						continue
					}
					row, err := json.Marshal(list[0])
					if err != nil {
						t.Fatal(err)
					}
					other := rewrite(t, row, func(object map[string]any) {
						if _, has := object[o.RoleKey]; has {
							object[o.RoleKey] = strangeRole
						}
					}, nil)
					if first {
						top[key] = append([]any{json.RawMessage(other)}, list...)
					} else {
						top[key] = append(list, json.RawMessage(other))
					}
				}
			})
		}
	}
}

// checkLaggingTotal lets the vendor declare too little and too much: the walk is the same, and the
// reading says what was declared.
func checkLaggingTotal(t *testing.T, o Options) {
	for _, c := range o.Cases {
		data, _ := o.Definition.Find(c.Question.Data)
		if !data.Total || c.Question.Topics {
			continue
		}
		calls := count(t, o, c)
		for _, total := range []int64{0, 1, 2_000_000_000} {
			source := o.open(t, garbled(o.Server(), func(_ int64, a *answer) {
				a.body = atTop(t, a.body, func(top map[string]any) {
					for _, key := range o.TotalKeys {
						if _, has := top[key]; has {
							top[key] = total
						}
					}
				})
			}))
			caller := Caller{FailAt: calls + 1, Failure: errCut}
			got, err := source.Ask(t.Context(), &caller, c.Question)
			want := c.Want
			if want.Declared >= 0 {
				want.Declared = total
			}
			if err != nil || caller.Calls() != calls {
				t.Errorf("%s, a total of %d: %d calls, want %d, %v", c.Name, total, caller.Calls(), calls, err)
				continue
			}
			mustEqual(t, got, want)
		}
	}
}

// checkBarren repeats a full first page under a total that promises more for ever.
func checkBarren(t *testing.T, o Options) {
	for _, c := range o.Cases {
		pages := count(t, o, c)
		if pages < 2 || c.Question.Topics || len(c.Question.Only) > 0 {
			continue
		}
		var first *answer
		source := o.open(t, garbled(o.Server(), func(number int64, a *answer) {
			if number == 1 {
				kept := *a
				kept.body = atTop(t, a.body, func(top map[string]any) {
					for _, key := range o.TotalKeys {
						if _, has := top[key]; has {
							top[key] = 2_000_000_000
						}
					}
				})
				first = &kept
			}
			*a = *first
		}))
		const pagesWithoutNews, otherPages = 3, 3 // the first pages of every way in which a vendor may be asked
		caller := Caller{FailAt: pagesWithoutNews + otherPages + 1, Failure: errCut}
		got, err := source.Ask(t.Context(), &caller, c.Question)
		if errors.Is(err, errCut) || err == nil {
			t.Errorf("%s: %d calls, error %v, %d rows", c.Name, caller.Calls(), err, len(got.Rows))
		}
	}
}

// atTop changes the object that body is.
func atTop(t *testing.T, body []byte, change func(top map[string]any)) []byte {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var top map[string]any
	if err := decoder.Decode(&top); err != nil {
		t.Errorf("the test's server answers with something else than an object: %v: %.200s", err, body)
		return body
	}
	change(top)
	changed, err := json.Marshal(top)
	if err != nil {
		t.Error(err)
	}
	return changed
}
