package main_test

import (
	"bufio"
	"bytes"
	"context"
	"go/ast"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestWhatLibrariesLogIsDiscarded: only the command line may speak on stderr, and it does not use log.
func TestWhatLibrariesLogIsDiscarded(t *testing.T) {
	t.Parallel()
	discards := false
	for _, f := range load(t).files {
		if f.pkg != "cmd/export" || f.test {
			continue
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if ok && len(call.Args) == 1 {
				discards = discards || spelled(call.Fun) == "log.SetOutput" && spelled(call.Args[0]) == "io.Discard"
			}
			return true
		})
	}
	if !discards {
		t.Error("main does not call log.SetOutput(io.Discard): net/http and others log raw bytes of answers, signatures among them")
	}
	for _, f := range load(t).files {
		if f.test || f.kit {
			continue
		}
		for _, use := range f.uses() {
			if use.pkg == "log" && use.name != "log.SetOutput" || use.name == "os.Stderr" && f.pkg != "cmd/export/cli" {
				t.Errorf("%s:%d uses %s: only the command line speaks on stderr", f.path, use.line, use.name)
			}
		}
	}
}

func spelled(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name + "." + s.Sel.Name
		}
	}
	return ""
}

const rawBytes = "eJyrVgrxCdYrSy1SslJQ-user-0001"

// TestAServerThatSendsMoreThanWasAskedForIsNotQuoted runs the program against a vendor, and against a
// bucket, that say something more a moment after each answer, as a broken proxy does.
func TestAServerThatSendsMoreThanWasAskedForIsNotQuoted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	binary := filepath.Join(dir, "rollcall")
	if talk, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, talk)
	}
	vendor := "source \"rongcloud\" \"prod\" {\n endpoint = \"URL\"\n app_key = env(\"AK\")\n app_secret = env(\"SK\")\n}\n" +
		"ids \"staff\" { values = [\"u1\", \"u2\"] }\ndata \"rongcloud_user_groups\" \"staff\" { users = ids.staff }\n"
	for name, test := range map[string]struct {
		config, command string
		answer          string
	}{
		"a vendor": {vendor + "sink \"local\" \"out\" { path = \"./out\" }\n", "run", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"},
		"a bucket": {vendor + "sink \"s3\" \"lake\" {\n bucket = \"audit\"\n region = \"us-east-1\"\n endpoint = \"URL\"\n}\n", "snapshots", "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, enough := context.WithTimeout(t.Context(), time.Minute)
			defer enough()
			var asked atomic.Int64
			url := serveMore(t, test.answer, func() {
				if asked.Add(1) == 3 {
					enough()
				}
			})
			config := filepath.Join(t.TempDir(), "rollcall.hcl")
			if err := os.WriteFile(config, []byte(strings.ReplaceAll(test.config, "URL", url)), 0o600); err != nil {
				t.Fatal(err)
			}
			command := exec.CommandContext(ctx, binary, test.command, "--config", config, "--progress", "log")
			command.Env = append(os.Environ(), "AK=a-key", "SK=a-secret", "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_EC2_METADATA_DISABLED=true")
			var said bytes.Buffer
			command.Stdout, command.Stderr = &said, &said
			_ = command.Run() // it is killed, or gives up
			if asked.Load() == 0 {
				t.Errorf("it asked nothing, and said:\n%s", &said)
			}
			if strings.Contains(said.String(), rawBytes) || strings.Contains(said.String(), "Unsolicited") {
				t.Errorf("it said:\n%s", &said)
			}
		})
	}
}

// serveMore answers one request on each connection, says something more when that idles, and calls done.
func serveMore(t *testing.T, answer string, done func()) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				request, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, request.Body)
				_, _ = io.WriteString(c, answer)
				time.Sleep(30 * time.Millisecond)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n{\"usersig\":\""+rawBytes+"\"}")
				_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
				_, _ = io.Copy(io.Discard, c)
				done()
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
	return "http://" + listener.Addr().String()
}
