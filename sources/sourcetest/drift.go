package sourcetest

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"rollcall/schema"
)

const strangeRole = "Overlord"

// checkDrift changes answers as vendors do from one release to the next.
func checkDrift(t *testing.T, o Options) {
	t.Run("unknown fields are ignored", func(t *testing.T) {
		o.drifts(t, func(object map[string]any) {
			object["releasedTomorrow"] = map[string]any{"list": []any{1.5, nil, true, "text"}, "deep": map[string]any{}}
		}, func(c Case) Case { return c })
	})
	t.Run("numbers may be numeric strings", func(t *testing.T) {
		o.drifts(t, func(object map[string]any) {
			for key, value := range object {
				if number, ok := value.(json.Number); ok {
					object[key] = number.String()
				}
			}
		}, func(c Case) Case { return c })
	})
	t.Run("null is an absent value", func(t *testing.T) {
		o.drifts(t, func(object map[string]any) { object["releasedTomorrow"] = nil }, func(c Case) Case { return c })
	})
	t.Run("unknown roles are kept", func(t *testing.T) {
		if o.RoleKey == "" {
			t.Fatal("no RoleKey is given")
		}
		o.drifts(t, func(object map[string]any) {
			if _, ok := object[o.RoleKey]; ok {
				object[o.RoleKey] = strangeRole
			}
		}, func(c Case) Case {
			c.Want.Rows = slices.Clone(c.Want.Rows)
			for i := range c.Want.Rows {
				if row := &c.Want.Rows[i]; row.RoleRaw.Valid {
					row.Role, row.RoleRaw, row.NotMember = schema.NoRole, schema.SomeText(strangeRole), false
				}
			}
			return c
		})
	})
	t.Run("empty pages end a walk", func(t *testing.T) { checkEmpty(t, o) })
}

// drifts asks every case of a vendor whose objects are all changed.
func (o Options) drifts(t *testing.T, change func(object map[string]any), want func(Case) Case) {
	for _, c := range o.Cases {
		source := o.open(t, garbled(o.Server(), func(_ int64, a *answer) { a.body = rewrite(t, a.body, change, nil) }))
		got, err := source.Ask(t.Context(), &Caller{}, c.Question)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		mustEqual(t, got, want(c).Want)
	}
}

// checkEmpty empties the lists of every page behind the first. That may end the walk or be
// refused; it must never pass for a whole reading.
func checkEmpty(t *testing.T, o Options) {
	for _, c := range o.Cases {
		data, _ := o.Definition.Find(c.Question.Data)
		if count(t, o, c) < 2 || len(c.Question.Only) > 0 || c.Question.Topics {
			continue
		}
		source := o.open(t, garbled(o.Server(), func(number int64, a *answer) {
			if number > 1 {
				a.body = rewrite(t, a.body, nil, func([]any) []any { return []any{} })
			}
		}))
		caller := Caller{FailAt: 1000, Failure: errCut}
		got, err := source.Ask(t.Context(), &caller, c.Question)
		switch {
		case caller.Calls() >= 1000:
			t.Errorf("%s: the walk goes on over empty pages", c.Name)
		case err == nil && data.Total && got.Declared == int64(len(got.Rows)):
			t.Errorf("%s: %d rows and empty pages behind them pass for a whole reading", c.Name, len(got.Rows))
		}
	}
}

// rewrite applies object to every JSON object of body and list to every list.
func rewrite(t *testing.T, body []byte, object func(map[string]any), list func([]any) []any) []byte {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Errorf("the test's server answers with something else than JSON: %v: %.200s", err, body)
		return body
	}
	var walk func(value any) any
	walk = func(value any) any {
		switch value := value.(type) {
		case map[string]any:
			for key, inner := range value {
				value[key] = walk(inner)
			}
			if object != nil {
				object(value)
			}
			return value
		case []any:
			for i := range value {
				value[i] = walk(value[i])
			}
			if list != nil {
				return list(value)
			}
			return value
		default:
			return value
		}
	}
	changed, err := json.Marshal(walk(value))
	if err != nil {
		t.Error(err)
	}
	return changed
}
