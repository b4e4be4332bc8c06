package simulated_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/sources/simulated"
)

// asked sends one good question for a user's groups, and reads the whole answer.
func asked(t *testing.T, transport http.RoundTripper, address string) (status int, body string, err error) {
	t.Helper()
	r := rongRequest(t, simulated.PathUserGroups, fields("userId", "u"))
	r.URL.Host = strings.TrimPrefix(address, "http://")
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

const whole = `{"code":200,"groups":[]}`

// TestTheTransportPlaysWhatAConnectionDoes holds the Transport against a real server: a fault must
// look the same to a client.
func TestTheTransportPlaysWhatAConnectionDoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		effect simulated.Effect
		is     func(status int, body string, err error) bool
	}{
		"cut": {simulated.Cut(), func(s int, b string, err error) bool {
			return errors.Is(err, io.ErrUnexpectedEOF) && b == whole[:len(whole)/2]
		}},
		"longer":  {simulated.Longer(), func(s int, b string, err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) && b == whole }},
		"shorter": {simulated.Shorter(), func(s int, b string, err error) bool { return err == nil && b == whole[:len(whole)-10] }},
		"garbage": {simulated.Garbage(), func(s int, b string, err error) bool {
			return err != nil && strings.Contains(err.Error(), "malformed HTTP")
		}},
		"reset": {simulated.Reset(), func(s int, b string, err error) bool {
			return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)
		}},
		"busy": {simulated.OfClass(simulated.Busy), func(s int, b string, err error) bool { return s == 500 && strings.Contains(b, "1000") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, real := range []bool{false, true} {
				w := simulated.New(calm())
				w.Fault(simulated.Fault{Do: c.effect, Times: 1})
				transport, address := w.Transport(), "http://vendor.test"
				if real {
					w = simulated.New(calm())
					w.Fault(simulated.Fault{Do: c.effect, Times: 1})
					server := httptest.NewServer(w.Handler())
					defer server.Close()
					transport, address = server.Client().Transport, server.URL
				}
				if status, body, err := asked(t, transport, address); !c.is(status, body, err) {
					t.Errorf("real %v: status %d, %q, %v", real, status, body, err)
				}
				if _, body, err := asked(t, transport, address); err != nil || body != whole {
					t.Errorf("real %v, after the fault: %q, %v", real, body, err)
				}
			}
		})
	}
}

func TestFaultsBeforeAConnectionReachNobody(t *testing.T) {
	t.Parallel()
	dns := &net.DNSError{}
	for _, c := range []struct {
		effect simulated.Effect
		is     func(error) bool
	}{
		{simulated.Refused(), func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }},
		{simulated.Unresolved(), func(err error) bool { return errors.As(err, &dns) }},
		{simulated.Handshake(), func(err error) bool { return err != nil && strings.Contains(err.Error(), "handshake failure") }},
	} {
		w := simulated.New(calm())
		w.Fault(simulated.Fault{Do: c.effect, Times: 3})
		transport := w.Transport()
		for range 3 {
			if _, _, err := asked(t, transport, "http://vendor.test"); !c.is(err) {
				t.Errorf("got %v", err)
			}
		}
		if n := w.Counts()[simulated.PathUserGroups].Requests; n != 0 {
			t.Errorf("%d requests arrived", n)
		}
		if _, body, err := asked(t, transport, "http://vendor.test"); err != nil || body != whole {
			t.Errorf("after the fault: %q, %v", body, err)
		}
	}
}

func TestAStalledBodyEndsWithItsClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := simulated.New(calm())
		w.Fault(simulated.Fault{Do: simulated.Stall()})
		r := rongRequest(t, simulated.PathUserGroups, fields("userId", "u"))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		answer, err := w.Transport().RoundTrip(r.WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		body, err := io.ReadAll(answer.Body)
		if err == nil || string(body) != whole[:len(whole)/2] || time.Since(began) != 30*time.Second {
			t.Errorf("%q after %v, %v", body, time.Since(began), err)
		}
	})
}

func TestADoorIsShutForAMomentAndOpenAgain(t *testing.T) {
	t.Parallel()
	w := simulated.New(calm())
	w.Fault(simulated.Fault{Do: simulated.Refused(), Times: 1})
	server := httptest.NewUnstartedServer(w.Handler())
	server.Listener = w.Door(server.Listener)
	server.Start()
	defer server.Close()
	transport := &http.Transport{DisableKeepAlives: true}
	if _, _, err := asked(t, transport, server.URL); err == nil {
		t.Error("the first request was answered")
	}
	for {
		_, body, err := asked(t, transport, server.URL)
		if err == nil && body == whole {
			return // however long it took: the test has a deadline of its own
		}
		if err != nil && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestEmptyPagesAndExpiredTokensAreOnTheMenu(t *testing.T) {
	t.Parallel()
	w := simulated.New(calm())
	for i := range 120 {
		w.RongCloud.AddMember("g", "u"+strconv.Itoa(i), simulated.Member{})
	}
	w.Fault(simulated.Fault{Do: simulated.EmptyPage(), Times: 2}, simulated.Fault{Do: simulated.ExpiredToken(), Nth: 4, Times: 1})
	token, seen := "", []string{}
	for range 6 {
		list := []string{"groupId", "g", "size", "100", "order", "0"}
		if token != "" {
			list = append(list, "pageToken", token)
		}
		answer, err := w.Transport().RoundTrip(rongRequest(t, simulated.PathGroupMembers, fields(list...)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, strconv.Itoa(answer.StatusCode)+":"+strconv.Itoa(strings.Count(string(body), "userId")))
		if _, rest, more := strings.Cut(string(body), `"pageToken":"`); more {
			token, _, _ = strings.Cut(rest, `"`)
		}
	}
	if want := []string{"200:0", "200:0", "200:100", "400:0", "200:20", "200:20"}; !slices.Equal(seen, want) {
		t.Errorf("got %v, want %v", seen, want)
	}
}
