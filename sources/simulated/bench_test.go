package simulated_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall/sources/simulated"
)

func crowded(b *testing.B) (*simulated.World, []string) {
	b.Helper()
	o := calm()
	o.Now = time.Now
	w := simulated.New(o)
	sizes := make([]int, 1000)
	for i := range sizes {
		sizes[i] = 1000
	}
	w.RongCloud.PopulateSizes(1, 50_000, sizes)
	w.Tencent.PopulateSizes(1, 50_000, sizes)
	return w, w.RongCloud.GroupIDs()
}

// nowhere is an http.ResponseWriter that keeps nothing.
type nowhere struct {
	header http.Header
	bytes  int
}

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) WriteHeader(int)             {}
func (n *nowhere) Write(b []byte) (int, error) { n.bytes += len(b); return len(b), nil }

func BenchmarkAPageOf100Members(b *testing.B) {
	w, groups := crowded(b)
	r := rongRequest(b, simulated.PathGroupMembers, fields("groupId", groups[0], "size", "100", "order", "0"))
	body, _ := io.ReadAll(r.Body)
	out := &nowhere{header: http.Header{}}
	h := w.Handler()
	b.ReportAllocs()
	for b.Loop() {
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		h.ServeHTTP(out, r)
	}
	b.SetBytes(int64(out.bytes / b.N))
}

func BenchmarkRolesOf500(b *testing.B) {
	w, _ := crowded(b)
	g := w.Tencent.GroupIDs()[0]
	var users []string
	for m := range w.Tencent.Truth().Memberships() {
		if users = append(users, m.User); len(users) == 500 {
			break
		}
	}
	body := `{"GroupId":"` + g + `","User_Account":["` + strings.Join(users, `","`) + `"]}`
	r := tencentRequest(b, w, simulated.PathTencentRoles, body)
	out := &nowhere{header: http.Header{}}
	h := w.Handler()
	b.ReportAllocs()
	for b.Loop() {
		r.Body = io.NopCloser(strings.NewReader(body))
		h.ServeHTTP(out, r)
	}
}

// BenchmarkLoopback asks for pages of 100 members over real connections. Its client writes prepared
// bytes and skips the answer's, so that nearly all of the CPU is the server's.
func BenchmarkLoopback(b *testing.B) {
	w, groups := crowded(b)
	server := httptest.NewServer(w.Handler())
	defer server.Close()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		var request bytes.Buffer
		r := rongRequest(b, simulated.PathGroupMembers, fields("groupId", groups[0], "size", "100", "order", "0"))
		if err := r.Write(&request); err != nil {
			b.Error(err)
			return
		}
		answers := bufio.NewReaderSize(conn, 64<<10)
		for pb.Next() {
			if _, err := conn.Write(request.Bytes()); err != nil {
				b.Error(err)
				return
			}
			if err := skipAnswer(answers); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

func skipAnswer(r *bufio.Reader) error {
	length := 0
	for line := 0; ; line++ {
		text, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if line == 0 && !bytes.Contains(text, []byte(" 200 ")) {
			return fmt.Errorf("answered %q", text)
		}
		if after, found := bytes.CutPrefix(text, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(after))); err != nil {
				return err
			}
		}
		if len(text) == 2 {
			_, err = r.Discard(length)
			return err
		}
	}
}

// BenchmarkTenMillionMemberships builds a large app and tells what it weighs.
func BenchmarkTenMillionMemberships(b *testing.B) {
	for b.Loop() {
		w := simulated.New(calm())
		sizes := make([]int, 100_000)
		for i := range sizes {
			sizes[i] = 100
		}
		w.RongCloud.PopulateSizes(1, 1_000_000, sizes)
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MB-live")
		b.ReportMetric(float64(m.Sys)/(1<<20), "MB-from-OS")
		runtime.KeepAlive(w)
	}
}
