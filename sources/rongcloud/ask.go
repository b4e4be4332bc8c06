package rongcloud

import (
	"context"
	"net/http"
	"net/url"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
	"rollcall/sources/wire"
)

var _ sources.Source = (*Source)(nil)

// Source is one RongCloud app. It holds no state.
type Source struct {
	endpoint string
	key      string
	secret   schema.Secret
	env      sources.Environment
}

// Ask answers one question; see sources.Source.
func (s *Source) Ask(ctx context.Context, call sources.Caller, q sources.Question) (sources.Reading, error) {
	w := walk{source: s, ctx: ctx, call: call, q: q}
	var err error
	switch q.Data {
	case userGroups:
		err = w.userGroups()
	case groupMembers:
		err = w.groupMembers()
	case joinedGroups:
		err = w.joinedGroups()
	default:
		err = fault.New(fault.Bug, "RongCloud has no data block %q", q.Data)
	}
	if err != nil {
		return sources.Reading{}, err
	}
	return w.reading(), nil
}

// fetch asks for one page through the Caller, which may need several attempts.
func (s *Source) fetch(ctx context.Context, call sources.Caller, q sources.Question, path string, form url.Values) (page, error) {
	var got page
	var signature string
	build := func() (request *http.Request, err error) {
		request, signature, err = s.request(ctx, path, form)
		return request, err
	}
	read := func(answer sources.Answer) (echoed bool, err error) {
		got, err = s.read(q, answer, signature)
		return false, err
	}
	if err := call.Call(ctx, sources.Exchange{Build: build, Read: read}); err != nil {
		return page{}, err
	}
	return got, nil
}

// read turns one answer into a page or a fault. The body's code decides as much as the status:
// RongCloud refuses under HTTP 200 too.
func (s *Source) read(q sources.Question, answer sources.Answer, signature string) (page, error) {
	p, err := decode(answer.Body, q)
	if answer.Status/100 == 2 {
		if err != nil {
			return page{}, wire.Unreadable("RongCloud", q, subject(q), answer.Status, err)
		}
		if p.code == 200 && !p.listed && p.total < 0 {
			return page{}, fault.New(fault.Transient, "RongCloud answered %s of %s with neither a list nor a total", q.Data, subject(q))
		}
		if p.code == 200 {
			return p, nil
		}
		if p.code < 0 {
			return page{}, fault.New(fault.Transient, "RongCloud answered %s of %s without a code", q.Data, subject(q))
		}
	} else if err != nil {
		p = page{code: -1} // a page of some proxy's: the status alone speaks
	}
	return page{}, refused(q, answer, p, s.env.Now(), s.secret.Reveal(), signature)
}
