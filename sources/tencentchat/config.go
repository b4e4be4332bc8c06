package tencentchat

import (
	"strconv"

	"rollcall/schema"
	"rollcall/sources"
	"rollcall/sources/wire"
)

const (
	defaultEndpoint   = "https://console.tim.qq.com"
	defaultIdentifier = "administrator"
)

// Config is one Tencent Cloud Chat app.
type Config struct {
	Endpoint       string        `hcl:"endpoint,optional" default:"https://console.tim.qq.com" doc:"the region of the app: https://console.tim.qq.com (China), https://adminapisgp.im.qcloud.com (Singapore), https://adminapikr.im.qcloud.com (Seoul), https://adminapijpn.im.qcloud.com (Tokyo), https://adminapiger.im.qcloud.com (Frankfurt), https://adminapiind.im.qcloud.com (Mumbai), https://adminapiusa.im.qcloud.com (Silicon Valley), https://adminapiidn.im.qcloud.com (Jakarta)"`
	SDKAppID       int64         `hcl:"sdk_app_id" doc:"the SDKAppID of the console"`
	Identifier     string        `hcl:"identifier,optional" default:"administrator" doc:"an administrator account of the app"`
	SecretKey      schema.Secret `hcl:"secret_key" doc:"the key of the console that signs UserSigs, from env() or file()"`
	BackupEndpoint string        `hcl:"backup_endpoint,optional" default:"the data centre's" doc:"another host of the same app, asked while endpoint can't be reached; that of the vendor's own data centres is known"`
	Failover       bool          `hcl:"failover,optional" default:"true" doc:"go over to the backup host while the endpoint can't be reached or answers badly; both share one budget"`
	AllowHTTP      bool          `hcl:"allow_http,optional" default:"false" doc:"accept plain http for a host that is not this machine"`
}

// Validate tells every fault at once.
func (c *Config) Validate() []sources.Problem {
	problems := append(wire.CheckEndpoint(c.Endpoint, c.AllowHTTP, regions()),
		wire.CheckBackup(c.Endpoint, c.BackupEndpoint, c.Failover, c.AllowHTTP, regions())...)
	if c.SDKAppID <= 0 {
		problems = append(problems, sources.Problem{Attribute: "sdk_app_id",
			Message: "is " + strconv.FormatInt(c.SDKAppID, 10) + ", which is no SDKAppID",
			Hint:    "copy the SDKAppID, a number like 1400000000, from Tencent's console"})
	}
	problems = append(problems, wire.CheckAccount("identifier", c.Identifier, "name an administrator account of the app; the first one is called administrator")...)
	return append(problems, wire.CheckSecret("secret_key", c.SecretKey.Reveal(),
		"copy the key from Tencent's console, without anything around it, into the variable or file it comes from")...)
}

// Account tells whose data this is.
func (c *Config) Account() sources.Account {
	return sources.Account{AppID: strconv.FormatInt(c.SDKAppID, 10), Endpoint: wire.Endpoint(c.Endpoint),
		Backup: wire.Backup(c.Endpoint, c.BackupEndpoint, c.Failover, regions())}
}

// Open makes the source.
func (c *Config) Open(env sources.Environment) sources.Source {
	return &Source{
		endpoint: wire.Endpoint(c.Endpoint),
		env:      env,
		signer:   signer{app: c.SDKAppID, identifier: c.Identifier, key: c.SecretKey, now: env.Now},
	}
}
