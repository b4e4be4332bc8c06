package rongcloud_test

import (
	"strings"
	"testing"

	"rollcall/sources/rongcloud"
)

func TestEveryFaultIsToldAtOnce(t *testing.T) {
	t.Parallel()
	c := &rongcloud.Config{Endpoint: "https://api-b.rong-api.com/v4", AppKey: "with blank", AppSecret: "ends in one "}
	var told []string
	for _, p := range c.Validate() {
		told = append(told, p.Attribute)
	}
	if got := strings.Join(told, " "); got != "endpoint app_key app_secret" {
		t.Errorf("faults of %s", got)
	}
}

func TestTheDefaultIsBeijingAndAllRegionsAreDocumented(t *testing.T) {
	t.Parallel()
	d := rongcloud.Definition()
	c := d.Config().(*rongcloud.Config)
	if c.Endpoint != "https://api.rong-api.com" {
		t.Errorf("default endpoint %s", c.Endpoint)
	}
	c.AppKey, c.AppSecret = "k", "s"
	for _, host := range []string{"api.rong-api.com", "api.sg-light-api.com", "api.sg-b-light-api.com", "api.us-light-api.com", "api.sau-light-api.com"} {
		c.Endpoint = "https://" + host
		if problems := c.Validate(); len(problems) > 0 || !strings.Contains(d.Doc, c.Endpoint) {
			t.Errorf("%s: %+v", host, problems)
		}
	}
}
