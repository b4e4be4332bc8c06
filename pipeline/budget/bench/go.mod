module rollcall/pipeline/budget/bench

go 1.26.0

replace rollcall => ../../..

require (
	go.uber.org/ratelimit v0.3.1
	golang.org/x/time v0.16.0
	rollcall v0.0.0
)

require (
	github.com/benbjohnson/clock v1.3.0 // indirect
	github.com/cenkalti/backoff/v5 v5.0.3 // indirect
)
