// Package all lists every vendor that Rollcall can ask. A new vendor is one folder beside this one
// and one line here.
package all

import (
	"rollcall/sources"
	"rollcall/sources/rongcloud"
	"rollcall/sources/tencentchat"
)

// Definitions gives the vendors, sorted by type.
func Definitions() []sources.Definition {
	return []sources.Definition{
		rongcloud.Definition(),
		tencentchat.Definition(),
	}
}
