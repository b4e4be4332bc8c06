package sourcetest

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"rollcall/schema"
	"rollcall/sources"
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
	t.Run("control characters need no escape", func(t *testing.T) { checkControls(t, o) })
	t.Run("a displayed value that can't be read costs nothing else", func(t *testing.T) { checkUnreadable(t, o) })
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

// checkControls puts control characters into texts and unknown fields, without an escape.
func checkControls(t *testing.T, o Options) {
	const escaped, plain = `\t\n\u0000`, "\t\n\x00"
	for _, c := range o.Cases {
		source := o.open(t, garbled(o.Server(), func(_ int64, a *answer) {
			body := rewrite(t, a.body, func(object map[string]any) {
				object["releasedTomorrow"] = plain
				for _, key := range o.Texts {
					if text, ok := object[key].(string); ok {
						object[key] = text + plain
					}
				}
			}, nil)
			a.body = bytes.ReplaceAll(body, []byte(escaped), []byte(plain))
		}))
		got, err := source.Ask(t.Context(), &Caller{}, c.Question)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		want := c.Want
		want.Rows = slices.Clone(want.Rows)
		for i := range want.Rows {
			for _, text := range displayed(&want.Rows[i]) {
				if text.Valid {
					text.Value += plain
				}
			}
		}
		mustEqual(t, got, want)
	}
}

// displayed are the texts of a row that say nothing about who is a member, and as what.
func displayed(row *sources.Row) []*schema.Text {
	return []*schema.Text{&row.GroupName, &row.Nickname, &row.Extra}
}

// checkUnreadable gives every displayed value another type: it is absent and counted, and all else is there.
func checkUnreadable(t *testing.T, o Options) {
	if len(o.Texts) == 0 || len(o.TimeKeys) == 0 {
		t.Fatal("no Texts or no TimeKeys are given")
	}
	for _, odd := range []string{"1.7E12", "1700000000000.0", `{"a":"b"}`, "[1]", "true"} {
		for _, c := range o.Cases {
			source := o.open(t, garbled(o.Server(), func(_ int64, a *answer) {
				a.body = rewrite(t, a.body, func(object map[string]any) {
					for _, key := range slices.Concat(o.Texts, o.TimeKeys) {
						if value, has := object[key]; has && value != nil {
							object[key] = json.RawMessage(odd)
						}
					}
				}, nil)
			}))
			got, err := source.Ask(t.Context(), &Caller{}, c.Question)
			if err != nil {
				t.Errorf("%s, %s for what is only displayed: %v", c.Name, odd, err)
				continue
			}
			want := c.Want
			want.Rows, want.Replaced = slices.Clone(want.Rows), 0
			for i := range want.Rows {
				row := &want.Rows[i]
				for _, text := range displayed(row) {
					if text.Valid {
						want.Replaced++
					}
					*text = schema.Text{}
				}
				if row.Joined.Valid {
					want.Replaced++
				}
				row.Joined = schema.Micros{}
			}
			if got.Replaced < want.Replaced { // a row that came twice counts twice
				t.Errorf("%s, %s for what is only displayed: %d values are counted, of %d", c.Name, odd, got.Replaced, want.Replaced)
			}
			want.Replaced = got.Replaced
			mustEqual(t, got, want)
		}
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
