package client_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"rollcall/pipeline/client"
	"rollcall/sources"
)

// What is no HTTP is quoted by net/http in its errors: a signature that comes back there, in whatever
// spelling, is in no message.
func TestASignatureInWhatIsNoHTTPIsNotQuoted(t *testing.T) {
	t.Parallel()
	const sig = "eJwtzEELgjAYxvHvsrPI3nVjDrp4KAIPIg7C*q7mfDGX07UIoe-eUm-P-z88H3I9*VlrBqIQFlBKNi3gZGNxRWfX*4VqOT1_"
	for name, spell := range map[string]func(string) string{
		"as it is": func(s string) string { return s }, "in upper case": strings.ToUpper, "escaped": url.QueryEscape, "in standard base64": strings.NewReplacer("*", "+", "-", "/", "_", "=").Replace,
	} {
		for what, answer := range map[string]string{
			"a status line":  "HTTP/1.1 %s\r\n\r\n",
			"a header line":  "HTTP/1.1 200 OK\r\nusersig %s\r\n\r\n",
			"no HTTP at all": "refused: usersig=%s\r\n\r\n",
		} {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { listener.Close() })
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
						fmt.Fprintf(conn, answer, spell(sig))
					}
					conn.Close()
				}
			}()
			transport := client.NewTransport(nil, nil)
			t.Cleanup(func() { _ = transport.Close() })
			e := endpoint(transport, 1000, func(o *client.Options) { o.Attempts = 1 })
			err = e.Caller().Call(t.Context(), plain(func() (*http.Request, error) {
				return http.NewRequest(http.MethodPost, "http://"+listener.Addr().String()+"/v4?contenttype=json&usersig="+url.QueryEscape(sig), strings.NewReader("{}"))
			}, func(sources.Answer) error { return nil }))
			if err == nil {
				t.Fatalf("%s, %s: it passes for an answer", what, name)
			}
			for i := 0; i+12 <= len(sig); i++ {
				if strings.Contains(strings.ToLower(err.Error()), strings.ToLower(spell(sig)[i:i+12])) {
					t.Errorf("%s, %s: %v", what, name, err)
					break
				}
			}
		}
	}
}
