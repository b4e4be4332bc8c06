package tencentchat

import (
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rollcall/schema/fault"
	"rollcall/sources"
)

const vectorKey = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"

// The vector was made by a Python version and accepted by Tencent's own Go verifier.
func TestTheUserSigIsTLSSigAPIv2(t *testing.T) {
	t.Parallel()
	const want = "4lUxqF/B+QS/FhzU388MWw47s2GIKgpTCF1WmWL/l5Y="
	if got := mac(1400000000, "admin", vectorKey, 1700000000, 86400); got != want {
		t.Errorf("TLS.sig %s, want %s", got, want)
	}
	sig, err := userSig(1400000000, "admin", vectorKey, time.Unix(1700000000, 0), 24*time.Hour)
	if err != nil || strings.ContainsAny(sig, "+/=") {
		t.Fatalf("%s, %v", sig, err)
	}
	packed := strings.NewReplacer("*", "+", "-", "/", "_", "=").Replace(sig)
	z, err := zlib.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(packed)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	document := `{"TLS.ver":"2.0","TLS.identifier":"admin","TLS.sdkappid":1400000000,"TLS.expire":86400,"TLS.time":1700000000,"TLS.sig":"` + want + `"}`
	if err != nil || string(text) != document {
		t.Errorf("%s, %v", text, err)
	}
}

func TestTheDocumentsSampleIsRead(t *testing.T) {
	t.Parallel()
	p, err := decode([]byte(`{"ActionStatus": "OK","ErrorInfo": "","ErrorCode": 0,"UserIdList": [
		{"Member_Account": "leckie","Role": "Owner"},{"Member_Account": "peter","Role": "Member "},{"Member_Account": "wesley","Role": "NotMember"}]}`),
		sources.Question{Data: groupRoles, Key: "@TGS#2C5SZEAEF"})
	if err != nil || p.code != 0 || len(p.rows) != 3 || p.rows[1].RoleRaw.Value != "Member" || !p.rows[2].NotMember {
		t.Errorf("%+v, %v", p, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"ActionStatus":"OK","ErrorCode":0,"TotalCount":"1","GroupIdList":[{"GroupId":"g","Type":"Public","Name":"\ud800","SelfInfo":{"Role":"Owner","JoinTime":5}}]}`, uint8(0))
	f.Add(`{"ActionStatus":"OK","ErrorCode":0,"UserIdList":[{"Member_Account":"u","Role":"NotMember"}]}`, uint8(1))
	f.Add(`{"ActionStatus":"OK","ErrorCode":"0","MemberNum":2,"Next":"5","MemberList":[{"Member_Account":"u","Role":"Member ","JoinTime":"7","NameCard":""}]}`, uint8(2))
	f.Add("{\"ErrorCode\":0,\"TotalCount\":1,\"GroupIdList\":[{\"GroupId\":\"g\t\",\"Type\":[],\"Name\":7,\"SelfInfo\":{\"Role\":\"Owner\",\"JoinTime\":1.5}}]}", uint8(0))
	f.Add(`{"ActionStatus":"FAIL","ErrorCode":10010,"ErrorInfo":"gone"}`, uint8(2))
	f.Fuzz(func(t *testing.T, body string, which uint8) {
		q := sources.Question{Data: []string{joinedGroups, groupRoles, groupMembers}[which%3], Key: "key"}
		p, err := decode([]byte(body), q)
		if err != nil {
			if kind := fault.KindOf(err); kind != fault.Transient && kind != fault.Item {
				t.Errorf("an answer makes a fault of kind %v: %v", kind, err)
			}
			return
		}
		for _, row := range p.rows {
			if row.Group == "" || row.User == "" || !utf8.ValidString(row.Group+row.User+row.GroupName.Value+row.GroupType.Value+row.Nickname.Value+row.RoleRaw.Value) {
				t.Errorf("an unfit row: %+v", row)
			}
		}
	})
}

func BenchmarkDecodeRolesPage(b *testing.B) {
	var body strings.Builder
	body.WriteString(`{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"UserIdList":[`)
	for i := range 500 {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"Member_Account":"u%07d","Role":%q}`, i, []string{"Member", "Owner", "NotMember"}[i%3])
	}
	body.WriteString(`]}`)
	text, q := []byte(body.String()), sources.Question{Data: groupRoles, Key: "g"}
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		w := newWalk(nil, b.Context(), nil, q)
		p, err := decode(text, q)
		if err != nil || w.take(p) != nil || len(w.Rows) != 500 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/row")
}
