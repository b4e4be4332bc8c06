package tencentchat

import (
	"context"
	"net/http"

	"github.com/go-json-experiment/json"

	"rollcall/schema/fault"
	"rollcall/sources"
	"rollcall/sources/wire"
)

var _ sources.Source = (*Source)(nil)

// Source is one Tencent Cloud Chat app. All that it holds is its UserSig.
type Source struct {
	endpoint string
	env      sources.Environment
	signer   signer
}

// Ask answers one question; see sources.Source.
func (s *Source) Ask(ctx context.Context, call sources.Caller, q sources.Question) (sources.Reading, error) {
	w := newWalk(s, ctx, call, q)
	var err error
	switch q.Data {
	case joinedGroups:
		err = w.joinedGroups()
	case groupRoles:
		err = w.groupRoles()
	case groupMembers:
		err = w.groupMembers()
	default:
		err = fault.New(fault.Bug, "Tencent Cloud Chat has no data block %q", q.Data)
	}
	if err != nil {
		return sources.Reading{}, err
	}
	return w.reading(), nil
}

// fetch asks for one page through the Caller, which may need several attempts.
func (s *Source) fetch(ctx context.Context, call sources.Caller, q sources.Question, path string, question any) (page, error) {
	body, err := json.Marshal(question)
	if err != nil { // of all that is asked, only IDs can be no valid text
		return page{}, subject(q).Failed("an ID that is no valid Unicode can't be asked about")
	}
	var got page
	var sig string
	build := func() (request *http.Request, err error) {
		request, sig, err = s.request(ctx, path, body)
		return request, err
	}
	read := func(answer sources.Answer) (echoed bool, err error) {
		got, err = s.read(q, answer, sig)
		return got.echo.Matched, err
	}
	if err := call.Call(ctx, sources.Exchange{Build: build, Read: read, Echo: q.Key}); err != nil {
		return page{}, err
	}
	return got, nil
}

// read turns one answer into a page or a fault. An answer that was too large is a page without
// rows that says so: asking for less is the walk's business, and no failed attempt. Whether the page
// can be true is the walk's to judge.
func (s *Source) read(q sources.Question, answer sources.Answer, sig string) (page, error) {
	p, err := decode(answer.Body, q)
	if err == nil && q.Data == groupRoles && p.code == 0 {
		p.echo = accounts(q, p)
	}
	if err == nil && p.echo.Other != "" {
		return page{}, subject(q).Foreign(p.echo.Other)
	}
	if answer.Status/100 == 2 {
		switch {
		case err != nil:
			return page{}, subject(q).Unreadable(answer.Status, err)
		case p.code == 0 || p.code == tooLarge && q.Data != groupRoles:
			return p, nil
		case p.code < 0:
			return page{}, fault.New(fault.Transient, "Tencent answered %s of %s without an ErrorCode", q.Data, subject(q).Key)
		}
	} else if err != nil || p.code <= 0 {
		p = page{code: -1} // a gateway's page: the status alone speaks
	}
	e := refused(q, answer, p, s.env.Now(), s.signer.key.Reveal(), sig)
	if e.Again {
		s.signer.reject(sig)
	}
	return p, e
}

// accounts compares the accounts of an answer about roles with those of the question: one that was not
// asked about makes it another's. All of them don't make it this one's, which the group's ID alone does:
// an answer that left some out, as may happen, names what another question about the rest asks.
func accounts(q sources.Question, p page) wire.Echo {
	echo, asked := p.echo, make(map[string]struct{}, len(q.Users))
	for _, user := range q.Users {
		asked[user] = struct{}{}
	}
	for _, row := range p.rows {
		if _, ok := asked[row.User]; !ok {
			echo.Other = row.User
		}
	}
	return echo
}
