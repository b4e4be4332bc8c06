// Command bench holds Rollcall's pacing against golang.org/x/time/rate and go.uber.org/ratelimit:
// the same budgets, latencies and shares, at the same time, each against a server of its own that
// counts requests where they arrive. It prints one Markdown table and ends with 1 if Rollcall
// passed a budget, or used less than 98 % of what a pace by places can reach (not asked of -quick).
//
// It is a module of its own, so that the program needs none of the limiters it is held against.
//
//	go run -C pipeline/budget/bench .            over HTTP on loopback, ten seconds a cell
//	go run -C pipeline/budget/bench . -quick     the same, four cells of three seconds
//	go run -C pipeline/budget/bench . -virtual   simulated, ten minutes a cell
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"
)

// latency is how long an answer takes, and a random part of it is the way there.
type latency struct {
	name     string
	from, to time.Duration
}

// draw gives the time before the server counts a request and the time after it.
func (l latency) draw(r *rand.Rand) (there, back time.Duration) {
	total := l.from
	if l.to > l.from {
		total += time.Duration(r.Int64N(int64(l.to - l.from)))
	}
	there = total / 2
	if l.to > l.from {
		there = time.Duration(r.Float64() * float64(total))
	}
	return there, total - there
}

// cell is one row of the table.
type cell struct {
	budget  int
	share   float64
	latency latency
}

func (c cell) limit() float64 { return float64(c.budget) * c.share }

func main() {
	quick := flag.Bool("quick", false, "four cells of three seconds")
	virtual := flag.Bool("virtual", false, "simulate, ten minutes a cell")
	length := flag.Duration("length", 10*time.Second, "of one cell, after two seconds of warming up")
	flag.Parse()

	budgets, shares := []int{100, 200, 1000}, []float64{1, 0.5}
	latencies := []latency{
		{"1 ms", time.Millisecond, time.Millisecond},
		{"50 ms", 50 * time.Millisecond, 50 * time.Millisecond},
		{"5-200 ms", 5 * time.Millisecond, 200 * time.Millisecond},
		{"20-500 ms", 20 * time.Millisecond, 500 * time.Millisecond},
	}
	if *quick {
		budgets, shares, *length = []int{100}, []float64{1}, 3*time.Second
	}
	run := realCell
	if *virtual {
		*length, run = 10*time.Minute, virtualCell
	}
	var cells []cell
	for _, budget := range budgets {
		for _, share := range shares {
			for _, latency := range latencies {
				cells = append(cells, cell{budget, share, latency})
			}
		}
	}
	leastUse := 0.98
	if *quick { // three seconds are too few to tell
		leastUse = 0
	}
	if !printTable(cells, runAll(cells, *length, run), leastUse) {
		os.Exit(1)
	}
}

// runAll runs as many cells at a time as two cores can serve: 3600 requests a second.
func runAll(cells []cell, length time.Duration, run func(cell, time.Duration) []result) [][]result {
	const capacity = 3600
	results := make([][]result, len(cells))
	for first := 0; first < len(cells); {
		var batch sync.WaitGroup
		last, load := first, 0
		for ; last < len(cells); last++ {
			load += int(cells[last].limit()) * len(contestants)
			if load > capacity && last > first {
				break
			}
			i := last
			batch.Go(func() { results[i] = run(cells[i], length) })
		}
		batch.Wait()
		first = last
	}
	return results
}

// printTable tells whether Rollcall kept every budget and used so much of its bound.
func printTable(cells []cell, results [][]result, leastUse float64) (good bool) {
	good = true
	head := "| budget x share | latency |"
	rule := "|---|---|"
	for _, name := range contestants {
		head += fmt.Sprintf(" %s: pace/budget | pace/bound | largest second | over |", name)
		rule += "---|---|---|---|"
	}
	fmt.Println(head)
	fmt.Println(rule)
	for i, c := range cells {
		var row strings.Builder
		fmt.Fprintf(&row, "| %d x %v | %s |", c.budget, c.share, c.latency.name)
		for _, r := range results[i] {
			fmt.Fprintf(&row, " %.3f | %.3f | %d | %d |", r.pace/c.limit(), r.pace/r.bound(c.limit()), r.largest, r.over)
		}
		fmt.Println(row.String())
		places := results[i][0]
		good = good && places.over == 0 && places.pace >= leastUse*places.bound(c.limit())
	}
	return good
}
