package rongcloud

import (
	"context"
	"net/http"
	"net/url"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
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
	w := newWalk(s, ctx, call, q)
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
		return got.echo.Matched, err
	}
	if err := call.Call(ctx, sources.Exchange{Build: build, Read: read, Echo: q.Key}); err != nil {
		return page{}, err
	}
	return got, nil
}

// read turns one answer into a page or a fault. The body's code decides as much as the status:
// RongCloud refuses under HTTP 200 too. Whether the page can be true is the walk's to judge.
func (s *Source) read(q sources.Question, answer sources.Answer, signature string) (page, error) {
	p, err := decode(answer.Body, q)
	if err == nil && p.echo.Other != "" {
		return page{}, subject(q).Foreign(p.echo.Other)
	}
	if answer.Status/100 == 2 {
		switch {
		case err != nil:
			return page{}, subject(q).Unreadable(answer.Status, err)
		case p.code == 200:
			return p, nil
		case p.code < 0:
			return page{}, fault.New(fault.Transient, "RongCloud answered %s of %s without a code", q.Data, subject(q).Key)
		}
	} else if err != nil {
		p = page{code: -1} // a page of some proxy's: the status alone speaks
	}
	return p, refused(q, answer, p, s.env.Now(), s.secret.Reveal(), signature)
}
