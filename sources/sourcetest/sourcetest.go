// Package sourcetest is the conformance suite of vendors: whoever adds one runs it and learns
// whether the source keeps the promises of package sources.
//
// The test hands in the vendor's definition, a server that behaves as the vendor does, and cases
// that say which Reading each question must give. The suite asks them, then asks again through
// servers that cut, delay, refuse, repeat and garble those same answers. What a vendor can do is
// read from its definition, so nothing can be skipped: a block that says Only or Topics must have
// a case with them, and every block at least one. It promises that a source which passes gives all
// that the vendor gave or a fault of the right kind, believes no answer that names another question,
// lacks its total or contradicts itself, lets no total end a walk, loses no key to a value that is only
// displayed, and keeps its secrets.
//
// The suite talks to loopback addresses only. Run it with -race.
package sourcetest

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

// Options says how one vendor is put to the test.
type Options struct {
	Definition sources.Definition

	// Config gives a valid configuration for the server at endpoint. Its secrets must be texts that
	// stand nowhere else.
	Config func(endpoint string) sources.Config

	// Server gives a fresh vendor that answers every case.
	Server func() http.Handler

	// Cases say what each question must give. Every data block needs one, and one with Only or
	// Topics where it offers them; at least one case of a block with pages should fill several.
	Cases []Case

	// RoleKey is the key under which answers name roles.
	RoleKey string

	// Texts are the keys of texts that are only displayed: names, nicknames and what an app adds.
	Texts []string

	// TimeKeys are the keys of times of joining.
	TimeKeys []string

	// TotalKeys are the keys under which answers declare their totals.
	TotalKeys []string

	// EchoKey gives the key at the top of an answer under which it may name the user or group that it is
	// about, whether the server does or not.
	EchoKey func(data string) string

	// Refuse gives the body of an error answer that quotes text.
	Refuse func(text string) string

	// Hidden gives what of a request must never be shown: its signature. Secrets of the
	// configuration are hidden anyway.
	Hidden func(*http.Request) []string

	// Refusals are the vendor's own errors. The suite adds those of plain HTTP.
	Refusals []Refusal
}

// Case is one question and what it must give. Rows may come in any order.
type Case struct {
	Name     string
	Question sources.Question
	Want     sources.Reading
}

// Refusal is one answer that is no page, and what it must be taken for.
type Refusal struct {
	Name   string
	Data   string // the data block asked; empty for all
	Status int    // 0 is 200
	Header http.Header
	Body   string

	Kind       fault.Kind
	Outcome    schema.Outcome // of Item faults
	Code       string
	RetryAfter time.Duration
	Again      bool
}

// Run runs the whole suite.
func Run(t *testing.T, o Options) {
	t.Helper()
	t.Run("definition", func(t *testing.T) { checkDefinition(t, o) })
	t.Run("cases", func(t *testing.T) { checkCases(t, o) })
	t.Run("configuration", func(t *testing.T) { checkConfig(t, o) })
	t.Run("reading", func(t *testing.T) { checkReading(t, o) })
	t.Run("fresh requests", func(t *testing.T) { checkFresh(t, o) })
	t.Run("cut at every page", func(t *testing.T) { checkCut(t, o) })
	t.Run("cancel", func(t *testing.T) { checkCancel(t, o) })
	t.Run("refusals", func(t *testing.T) { checkRefusals(t, o) })
	t.Run("broken answers", func(t *testing.T) { checkBroken(t, o) })
	t.Run("endless pages", func(t *testing.T) { checkEndless(t, o) })
	t.Run("believed", func(t *testing.T) { checkBelieved(t, o) })
	t.Run("drift", func(t *testing.T) { checkDrift(t, o) })
	t.Run("secrets", func(t *testing.T) { checkSecrets(t, o) })
	t.Run("two at once", func(t *testing.T) { checkTogether(t, o) })
}

// open starts a server and opens a source that asks it.
func (o Options) open(t *testing.T, server http.Handler) sources.Source {
	t.Helper()
	s := httptest.NewServer(server)
	t.Cleanup(s.Close)
	config := o.Config(s.URL)
	if problems := config.Validate(); len(problems) > 0 {
		t.Fatalf("the test's configuration has faults: %+v", problems)
	}
	return config.Open(sources.Environment{Now: time.Now, Random: rand.Uint64})
}

// first gives a case for each data block.
func (o Options) first() []Case {
	var cases []Case
	for _, data := range o.Definition.Data {
		for _, c := range o.Cases {
			if c.Question.Data == data.Name {
				cases = append(cases, c)
				break
			}
		}
	}
	return cases
}
