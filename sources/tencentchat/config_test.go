package tencentchat_test

import (
	"strings"
	"testing"

	"rollcall/sources/tencentchat"
)

func TestEveryFaultIsToldAtOnce(t *testing.T) {
	t.Parallel()
	c := &tencentchat.Config{Endpoint: "https://adminapisgp.my-imcloud.com/v4", SDKAppID: -1, Identifier: "line\nbreak", SecretKey: " "}
	var told []string
	for _, p := range c.Validate() {
		told = append(told, p.Attribute)
	}
	if got := strings.Join(told, " "); got != "endpoint sdk_app_id identifier secret_key" {
		t.Errorf("faults of %s", got)
	}
}

func TestTheDefaultIsChinaAndAllRegionsAreDocumented(t *testing.T) {
	t.Parallel()
	d := tencentchat.Definition()
	c := d.Config().(*tencentchat.Config)
	if c.Endpoint != "https://console.tim.qq.com" || c.Identifier != "administrator" {
		t.Errorf("defaults %s, %s", c.Endpoint, c.Identifier)
	}
	c.SDKAppID, c.SecretKey = 1400000000, "k"
	hosts := []string{"console.tim.qq.com"}
	for _, region := range []string{"sgp", "kr", "jpn", "ger", "ind", "usa", "idn"} {
		hosts = append(hosts, "adminapi"+region+".im.qcloud.com")
	}
	for _, host := range hosts {
		c.Endpoint = "https://" + host
		if problems := c.Validate(); len(problems) > 0 || !strings.Contains(d.Doc, c.Endpoint) {
			t.Errorf("%s: %+v", host, problems)
		}
	}
}
