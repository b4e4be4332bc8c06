package config

import _ "embed"

//go:embed starter.hcl
var starter string

// Starter is the commented configuration that a newcomer begins with. It is valid once its
// environment variables are set.
func Starter() []byte { return []byte(starter) }
