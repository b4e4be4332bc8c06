package s3_test

import (
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

// says is an answer of 200 with that body.
func says(r *http.Request, body string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {`"x"`}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}
}

func completes(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

func ofManifest(r *http.Request) bool { return strings.Contains(r.URL.Path, "_snapshots/") }

// The bodies of answers that say nothing of what became of an upload.
func bodies() map[string]string {
	return map[string]string{
		"an empty body":             "",
		"HTML":                      "<html><body>It works!</body></html>",
		"a result without checksum": `<?xml version="1.0"?><CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>`,
		"an error":                  `<?xml version="1.0"?><Error><Code>InternalError</Code><Message>try again</Message></Error>`,
	}
}

// TestASuccessThatTheBucketDoesNotKeepIsNoSeal answers 200 to one kind of write and stores nothing.
func TestASuccessThatTheBucketDoesNotKeepIsNoSeal(t *testing.T) {
	t.Parallel()
	t.Run("lies", liesAreNoSeal)
	t.Logf("| the bucket answers 200 to a completion and stores nothing: empty, HTML, without checksum, an error | %d | exit 5, what was fetched kept | 0 | 0 | 0 | 0 |", 4*len(bodies()))
}

func liesAreNoSeal(t *testing.T) {
	for name, lies := range map[string]func(*http.Request) bool{
		"the completion of a data file":   func(r *http.Request) bool { return completes(r) && !ofManifest(r) },
		"the completion of the manifest":  func(r *http.Request) bool { return completes(r) && ofManifest(r) },
		"every write of the manifest":     func(r *http.Request) bool { return (r.Method == http.MethodPut || completes(r)) && ofManifest(r) },
		"every write of data or manifest": func(r *http.Request) bool { return completes(r) },
	} {
		for kind, body := range bodies() {
			t.Run(name+" is answered with "+kind, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					bucket := &sinktest.Bucket{Name: "audit"}
					var lied atomic.Int64
					sink := open(t, s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) {
						if lies(r) {
							lied.Add(1)
							return says(r, body), nil
						}
						return bucket.Do(r)
					})})
					err := attempt(t, sink, filepath.Join(t.TempDir(), "journal"))
					if err == nil || fault.KindOf(err) != fault.Transient || fault.HintOf(err) == "" || lied.Load() == 0 {
						t.Errorf("after %d lies: %v (%v), hint %q", lied.Load(), err, fault.KindOf(err), fault.HintOf(err))
					}
				})
			})
		}
	}
}

// TestAnotherRunsManifestAtReadBackIsNoSuccess lets another run's manifest lie there when the answer to
// our completion comes, whatever that says.
func TestAnotherRunsManifestAtReadBackIsNoSuccess(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ carriedOut, cut bool }{
		"instead of ours, which was answered with a success": {false, false},
		"over ours": {true, false},
		"instead of ours, and the connection was cut": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bucket := &sinktest.Bucket{Name: "audit"}
				var completed atomic.Int64
				sink := open(t, s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) {
					if !completes(r) || !ofManifest(r) {
						return bucket.Do(r)
					}
					completed.Add(1)
					answer, err := says(r, ""), error(nil)
					if test.carriedOut {
						answer, err = bucket.Do(r)
					}
					bucket.Put("im/_snapshots/2026-11-21.json", []byte("{ }\n"))
					if test.cut {
						return nil, errBroken
					}
					return answer, err
				})})
				err := attempt(t, sink, filepath.Join(t.TempDir(), "journal"))
				sealed, is := errors.AsType[*sinks.SealedError](err)
				if !is || sealed.Path != "_snapshots/2026-11-21.json" || completed.Load() == 0 {
					t.Errorf("after %d completions: %v", completed.Load(), err)
				}
				there, err := sink.Open(t.Context(), "_snapshots/2026-11-21.json")
				if err != nil {
					t.Fatal(err)
				}
				defer there.Close()
				if got, err := io.ReadAll(there); err != nil || string(got) != "{ }\n" {
					t.Errorf("there is %q, %v", got, err)
				}
			})
		})
	}
}

// TestASuccessThatSaysNothingIsSettledByLooking carries out what it is asked and answers badly.
func TestASuccessThatSaysNothingIsSettledByLooking(t *testing.T) {
	t.Parallel()
	for kind, body := range bodies() {
		for name, bare := range map[string]bool{"the bucket knows checksums": false, "the bucket tells no checksum": true} {
			t.Run(kind+", "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					bucket := &sinktest.Bucket{Name: "audit"}
					var read atomic.Int64
					sink := open(t, s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) {
						if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, ".parquet") {
							read.Add(1)
						}
						answer, err := bucket.Do(r)
						if err != nil || answer.StatusCode != http.StatusOK {
							return answer, err
						}
						if bare {
							answer.Header.Del("X-Amz-Checksum-Sha256")
						}
						if completes(r) {
							return says(r, body), nil
						}
						return answer, nil
					})})
					if err := attempt(t, sink, filepath.Join(t.TempDir(), "journal")); err != nil {
						t.Fatal(err)
					}
					if (read.Load() > 0) != bare {
						t.Errorf("the file was read back %d times", read.Load())
					}
					if got := visible(bucket); !slices.Equal(got, []string{"_snapshots/2026-11-21.json", part}) {
						t.Errorf("there are %q", got)
					}
				})
			})
		}
	}
}

// TestAFileThatIsNotWhatWasSentIsNeverSealed keeps other bytes than were sent.
func TestAFileThatIsNotWhatWasSentIsNeverSealed(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(*http.Request) bool{
		"at its completion":         func(r *http.Request) bool { return completes(r) && !ofManifest(r) },
		"while it is being sealed":  func(r *http.Request) bool { return completes(r) && ofManifest(r) },
		"with the same size, early": func(r *http.Request) bool { return completes(r) && !ofManifest(r) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bucket := &sinktest.Bucket{Name: "audit"}
				sink := open(t, s3.Config{HTTP: client(func(r *http.Request) (*http.Response, error) {
					answer, err := bucket.Do(r)
					if at(r) {
						text := "yy"
						if strings.Contains(name, "size") {
							text = "y"
						}
						bucket.Put("im/"+part, []byte(text))
					}
					return answer, err
				})})
				if err := attempt(t, sink, filepath.Join(t.TempDir(), "journal")); err == nil {
					t.Error("it was sealed")
				}
				if slices.Contains(visible(bucket), "_snapshots/2026-11-21.json") {
					t.Error("a manifest is there")
				}
			})
		})
	}
}

// TestAStoreThatIgnoresConditionsOfWritesIsRefused demands the fault's name before anything is begun.
func TestAStoreThatIgnoresConditionsOfWritesIsRefused(t *testing.T) {
	t.Parallel()
	header := func(name string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == http.MethodPut && r.Header.Get(name) != "" }
	}
	for name, test := range map[string]struct {
		ignores func(*http.Request) bool
		word    string // in the message; empty: it is not refused
	}{
		"all conditions":             {func(*http.Request) bool { return true }, "If-None-Match"},
		"If-None-Match of a PUT":     {header("If-None-Match"), "If-None-Match"},
		"If-Match of a PUT":          {header("If-Match"), "If-Match"},
		"conditions of a DELETE":     {func(r *http.Request) bool { return r.Method == http.MethodDelete }, ""},
		"conditions of a completion": {completes, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bucket := &sinktest.Bucket{Name: "audit", Ignores: test.ignores}
				lock, err := open(t, s3.Config{HTTP: bucket}).Lock(t.Context(), sinks.Owner{State: "a"})
				if test.word == "" {
					if err != nil {
						t.Fatal(err)
					}
					if err := lock.Release(t.Context()); err != nil {
						t.Error(err)
					}
					if err := attempt(t, open(t, s3.Config{HTTP: bucket}), filepath.Join(t.TempDir(), "journal")); err != nil {
						t.Error(err)
					}
					return
				}
				if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), "ignores the condition "+test.word) || !strings.Contains(fault.HintOf(err), "store") {
					t.Errorf("got %v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
				}
				if keys := bucket.Keys(); len(keys) > 0 {
					t.Errorf("left behind: %q", keys)
				}
			})
		})
	}
}

// TestALiveLockOfAStoreThatIgnoresConditionsIsNotTouched looks before it writes.
func TestALiveLockOfAStoreThatIgnoresConditionsIsNotTouched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bucket := &sinktest.Bucket{Name: "audit"}
		lock, err := open(t, s3.Config{HTTP: bucket}).Lock(t.Context(), sinks.Owner{State: "a"})
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Release(t.Context())
		bucket.Ignores = func(*http.Request) bool { return true }
		if _, err := open(t, s3.Config{HTTP: bucket}).Lock(t.Context(), sinks.Owner{State: "b"}); err == nil {
			t.Error("it was taken")
		}
		if err := lock.Check(t.Context()); err != nil {
			t.Errorf("the holder lost it: %v", err)
		}
	})
}
