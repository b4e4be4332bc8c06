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
	github.com/go-json-experiment/json v0.0.0-20260820222146-c27c302e5fc3 // indirect
	golang.org/x/net v0.59.0 // indirect
)
