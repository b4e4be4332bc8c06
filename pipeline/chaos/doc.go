// Package chaos tries to make whole nights lie, and holds each against a quiet one. It is tests alone.
//
// Nights run on virtual time against the simulated vendors, without a network: a minute in which the
// vendor is down costs no minute. All of them share one bubble of virtual time, and nothing outside
// it may use what they leave behind (compressors are pooled, and their channels belong to a bubble);
// hence one test with many scenarios, in a package of its own.
//
// A few nights are drawn in the ordinary tests. With -chaos 10m they go on for so long, and with
// -seed N one is drawn again; `make chaos` does the former and prints the table that
// pipeline/CHAOS.md shows.
package chaos
