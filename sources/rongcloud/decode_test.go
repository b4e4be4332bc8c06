package rongcloud

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"rollcall/schema/fault"
	"rollcall/sources"
)

// The vector is that of a test suite which ran against the live service.
func TestTheSignatureIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	if got := sign("Y1W2MeFwwwRxa0", "14314", "1408706337"); got != "e107e3819638b81a00383951d1d871197910ffe6" {
		t.Errorf("signature %s", got)
	}
}

func TestTheDocumentsSampleIsRead(t *testing.T) {
	t.Parallel()
	p, err := decode([]byte(`{"code":200,"totalCount":40,"pageToken":"XXXXX","groupId":"groupId","members":[
		{"userId":"u01","role":1,"nickname":"nickname1","time":12343433499942},
		{"userId":"u02","nickname":"nickname2","time":12343433499943,"role":3,"extra":"xxxx"}]}`), sources.Question{Data: groupMembers, Key: "g"})
	if err != nil || p.total != 40 || p.token != "XXXXX" || len(p.rows) != 2 || p.rows[1].Joined.Value != 12343433499943000 || p.rows[1].Extra.Value != "xxxx" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAnAnswerAboutAnotherKeyStaysForeign(t *testing.T) {
	t.Parallel()
	for _, rest := range []string{`"groupId":null`, `"groupId":""`, `"groupId":{}`} {
		for _, body := range []string{`{"code":200,"userId":"other","groups":[],` + rest + `}`, `{"code":200,` + rest + `,"groups":[],"members":[{"userId":"u"}]}`, `{"code":200,"groups":[],"members":[],` + rest + `}`} {
			if p, err := decode([]byte(body), sources.Question{Data: userGroups, Key: "u"}); err != nil || p.echo.Other == "" {
				t.Errorf("%s is taken for an answer about u: %v", body, err)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"code":200,"groups":[{"name":"GroupName_1","id":"GroupId_1"}]}`, uint8(0))
	f.Add(`{"code":"200","totalCount":"40","pageToken":"X","members":[{"userId":"u","role":"1","time":"5","nickname":"\ud800"}]}`, uint8(1))
	f.Add(`{"code":200,"groups":[{"groupId":"g","role":2,"joinTime":7,"name":null}],"pageToken":null}`, uint8(2))
	f.Add("{\"code\":200,\"members\":[{\"userId\":\"u\t1\",\"role\":1,\"time\":1.7E12,\"nickname\":\"a\x00b\",\"extra\":{\"a\":1}}]}", uint8(1))
	f.Add(`{"url":"/x","code":1002,"errorMessage":"invalid App-Key."}`, uint8(1))
	f.Fuzz(func(t *testing.T, body string, which uint8) {
		q := sources.Question{Data: []string{userGroups, groupMembers, joinedGroups}[which%3], Key: "key"}
		p, err := decode([]byte(body), q)
		if err != nil {
			if kind := fault.KindOf(err); kind != fault.Transient && kind != fault.Item {
				t.Errorf("an answer makes a fault of kind %v: %v", kind, err)
			}
			return
		}
		for _, row := range p.rows {
			if row.Group == "" || row.User == "" || !utf8.ValidString(row.Group+row.User+row.GroupName.Value+row.Nickname.Value+row.Extra.Value+row.RoleRaw.Value) {
				t.Errorf("an unfit row: %+v", row)
			}
		}
	})
}

func BenchmarkDecodeMembersPage(b *testing.B) {
	var body strings.Builder
	body.WriteString(`{"code":200,"totalCount":100,"pageToken":"abcdef","members":[`)
	for i := range 100 {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"userId":"u%07d","nickname":"nick %d","role":%d,"time":%d}`, i, i, i%3+1, 1700000000000+i)
	}
	body.WriteString(`]}`)
	text, q := []byte(body.String()), sources.Question{Data: groupMembers, Key: "g"}
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		w := newWalk(nil, b.Context(), nil, q)
		p, err := decode(text, q)
		if err != nil || w.Take(p.page()) != nil || len(w.Rows) != 100 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/row")
}
