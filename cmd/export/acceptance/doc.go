// Package acceptance looks at Rollcall from outside: the built program against a real S3 server
// (versitygw) and DuckDB as the analyst's eyes. It is a module of its own so that the dependencies of
// those two stay out of Rollcall's; it needs Go, a C compiler and the module proxy, nothing else.
//
// The S3 server runs as a second process of the test binary itself, on a loopback port, and ends
// with its test. It checks signatures, checksums and conditions as S3 does.
package acceptance
