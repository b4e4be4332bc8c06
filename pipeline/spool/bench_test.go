package spool

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"rollcall/schema"
	"rollcall/sources"
)

// The benchmarks count rows: run them with -benchtime=10000000x. Each reports CPU of all threads.

// BenchmarkAdd adds and flushes: half of the rows in groups of 100 members, half in users of 25
// groups. BenchmarkAnswers is what making them costs, to be subtracted.
func BenchmarkAdd(b *testing.B) {
	s := benchSpool(b, defaultMemory)
	answers := newAnswers()
	cpu := cpuTime()
	for n := 0; n < b.N; {
		e := answers.next()
		must(b, s.Add(context.Background(), e))
		n += len(e.Rows)
	}
	must(b, s.Flush(context.Background()))
	report(b, s, cpu)
}

func BenchmarkAnswers(b *testing.B) {
	s := benchSpool(b, defaultMemory)
	answers := newAnswers()
	cpu := cpuTime()
	for n := 0; n < b.N; {
		n += len(answers.next().Rows)
	}
	report(b, s, cpu)
}

// BenchmarkCompact merges 16 runs into one; it reports the merge alone.
func BenchmarkCompact(b *testing.B) {
	s := filled(b, 16)
	inputs, err := s.acquire(context.Background())
	must(b, err)
	b.ResetTimer()
	cpu := cpuTime()
	_, err = s.compact(inputs)
	must(b, err)
	report(b, s, cpu)
	must(b, s.release(inputs))
}

// BenchmarkMerge reads all rows of so many runs.
func BenchmarkMerge(b *testing.B) {
	for _, runs := range []int{1, 32, maxRuns} {
		b.Run(fmt.Sprint(runs), func(b *testing.B) {
			s := filled(b, runs)
			b.ResetTimer()
			cpu := cpuTime()
			rows, err := s.Rows(context.Background(), Filter{})
			must(b, err)
			n := 0
			for rows.Next() {
				n++
			}
			must(b, rows.Err())
			if n < b.N {
				b.Fatalf("read %d of %d rows", n, b.N)
			}
			report(b, s, cpu)
			must(b, rows.Close())
		})
	}
}

// filled is a spool with b.N rows in so many runs, none of them merged.
func filled(b *testing.B, runs int) *Spool {
	s := benchSpool(b, 1<<30)
	s.compacting = true // keeps merges from starting
	answers := newAnswers()
	n := 0
	for run := range runs {
		for more := true; more; more = n < b.N*(run+1)/runs {
			e := answers.next()
			must(b, s.Add(context.Background(), e))
			n += len(e.Rows)
		}
		must(b, s.Flush(context.Background()))
	}
	s.active, s.spare = newBuffer(s.ordinals), newBuffer(s.ordinals)
	debug.FreeOSMemory()
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the peak begins here, where the kernel lets it
	return s
}

func benchSpool(b *testing.B, memory int) *Spool {
	s, err := Open(Options{Dir: b.TempDir(), Blocks: testBlocks(), Memory: memory})
	must(b, err)
	b.Cleanup(func() { s.Close() })
	return s
}

// answers makes keys as vendors answer them, in random order.
type answers struct {
	random *rand.Rand
	rows   []sources.Row
	group  bool
}

func newAnswers() *answers {
	return &answers{random: rand.New(rand.NewPCG(1, 2)), rows: make([]sources.Row, 100)}
}

func (a *answers) next() Entry {
	a.group = a.random.IntN(5) == 0
	e := Entry{Whole: true, Record: Record{Generation: 1, Outcome: schema.OK, Verdict: schema.Exact, Requests: 1, Attempts: 1}}
	id := a.random.IntN(4_000_000)
	if a.group {
		e.Record.Key, e.Rows = fmt.Sprintf("group-%08d", id), a.rows
		for i := range e.Rows {
			user := fmt.Sprintf("u%08d", a.random.IntN(4_000_000))
			e.Rows[i] = sources.Row{
				Group: e.Record.Key, User: user, Role: schema.Member, RoleRaw: schema.SomeText("Member"),
				Nickname: schema.SomeText(user), Joined: schema.Micros{Value: int64(id) * 1e6, Valid: true},
			}
		}
		return e
	}
	e.Record.Block, e.Record.Key, e.Rows = 1, fmt.Sprintf("u%08d", id), a.rows[:25]
	for i := range e.Rows {
		group := fmt.Sprintf("group-%08d", a.random.IntN(4_000_000))
		e.Rows[i] = sources.Row{Group: group, User: e.Record.Key, GroupName: schema.SomeText("The " + group)}
	}
	return e
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func report(b *testing.B, s *Spool, since time.Duration) {
	b.StopTimer()
	b.ReportMetric(float64(cpuTime()-since)/float64(b.N), "cpu-ns/row")
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		for line := range strings.Lines(string(status)) {
			var kb float64
			if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
				b.ReportMetric(kb/1024, "peak-MB")
			}
		}
	}
	_, bytes := s.Size()
	b.ReportMetric(float64(bytes)/float64(b.N), "disk-B/row")
}
