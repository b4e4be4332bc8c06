package client_test

import (
	"net/http"

	"rollcall/sources"
)

// plain is an exchange whose answers name no question.
func plain(build func() (*http.Request, error), read func(sources.Answer) error) sources.Exchange {
	return sources.Exchange{Build: build, Read: func(answer sources.Answer) (echoed bool, err error) { return false, read(answer) }}
}
