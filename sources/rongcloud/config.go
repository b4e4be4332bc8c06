package rongcloud

import (
	"rollcall/schema"
	"rollcall/sources"
	"rollcall/sources/wire"
)

const defaultEndpoint = "https://api.rong-api.com"

// Config is one RongCloud app.
type Config struct {
	Endpoint       string        `hcl:"endpoint,optional" default:"https://api.rong-api.com" doc:"the data centre of the app: https://api.rong-api.com (Beijing), https://api.sg-light-api.com (Singapore), https://api.sg-b-light-api.com (Singapore B), https://api.us-light-api.com (North America), https://api.sau-light-api.com (Saudi Arabia)"`
	AppKey         string        `hcl:"app_key" doc:"the App Key of the console"`
	AppSecret      schema.Secret `hcl:"app_secret" doc:"the App Secret of the console, from env() or file()"`
	BackupEndpoint string        `hcl:"backup_endpoint,optional" default:"the data centre's" doc:"another host of the same app, asked while endpoint can't be reached; that of the vendor's own data centres is known"`
	Failover       bool          `hcl:"failover,optional" default:"true" doc:"go over to the backup host while the endpoint can't be reached or answers badly; both share one budget"`
	AllowHTTP      bool          `hcl:"allow_http,optional" default:"false" doc:"accept plain http for a host that is not this machine"`
}

// Validate tells every fault at once.
func (c *Config) Validate() []sources.Problem {
	problems := append(wire.CheckEndpoint(c.Endpoint, c.AllowHTTP, regions()),
		wire.CheckBackup(c.Endpoint, c.BackupEndpoint, c.Failover, c.AllowHTTP, regions())...)
	problems = append(problems, wire.CheckAccount("app_key", c.AppKey, "copy the App Key from RongCloud's console, without anything around it")...)
	secret := wire.CheckSecret("app_secret", c.AppSecret.Reveal(), "copy the App Secret from RongCloud's console, without anything around it, into the variable or file it comes from")
	if c.AppSecret != "" && c.AppSecret.Reveal() == c.AppKey {
		secret = append(secret, sources.Problem{Attribute: "app_secret", Message: "is the same as app_key",
			Hint: "give the App Secret, which stands beside the App Key in RongCloud's console"})
	}
	return append(problems, secret...)
}

// Account tells whose data this is.
func (c *Config) Account() sources.Account {
	return sources.Account{AppID: c.AppKey, Endpoint: wire.Endpoint(c.Endpoint),
		Backup: wire.Backup(c.Endpoint, c.BackupEndpoint, c.Failover, regions())}
}

// Open makes the source.
func (c *Config) Open(env sources.Environment) sources.Source {
	return &Source{endpoint: wire.Endpoint(c.Endpoint), key: c.AppKey, secret: c.AppSecret, env: env}
}
