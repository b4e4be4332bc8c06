package cli

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/pflag"

	"rollcall/cmd/export/console"
	"rollcall/schema/fault"
	"rollcall/sources"
	"rollcall/sources/rongcloud"
	"rollcall/sources/simulated"
	"rollcall/sources/tencentchat"
)

// worldConfig is the configuration that asks the simulated vendors.
//
//go:embed world.hcl
var worldConfig string

// worldFlags are those of the commands that simulate vendors.
type worldFlags struct {
	users, groups int
	night         int
	seed          uint64
	latency       time.Duration
	oddities      bool
	set           *pflag.FlagSet
}

func (f *worldFlags) register(set *pflag.FlagSet) {
	demo := simulated.Demo()
	f.set = set
	set.IntVar(&f.users, "users", demo.Users, "simulate `N` users of each vendor, and what --oddities adds; if neither this nor --groups is given, "+humanize.Comma(int64(demo.TencentUsers))+" of Tencent Cloud Chat")
	set.IntVar(&f.groups, "groups", demo.Groups, "simulate `N` groups of each vendor, and what --oddities adds; if neither this nor --users is given, "+humanize.Comma(int64(demo.TencentGroups))+" of Tencent Cloud Chat")
	set.IntVar(&f.night, "night", 0, "let the simulated apps be `N` nights older: members joined and left, roles changed, groups came and went")
	set.Uint64Var(&f.seed, "seed", demo.Seed, "`N` decides who is in which group")
	set.DurationVar(&f.latency, "latency", demo.MaxLatency, "answer within this `TIME` at most")
	set.BoolVar(&f.oddities, "oddities", true, fmt.Sprintf("add some %d users and %d groups of each vendor: nasty names and IDs, groups that are gone, contradictions between views", oddUsers, oddGroups))
}

// maxNights is how many nights can be simulated: each is made from the one before it.
const maxNights = 1000

// About how many users and groups the oddities are, for the help.
const oddUsers, oddGroups = 520, 60

// changed are the flags that make a world other than the demo's, as they are typed.
func (f worldFlags) changed() string {
	text := ""
	f.set.Visit(func(flag *pflag.Flag) {
		switch flag.Name {
		case "users", "groups", "night", "seed", "latency", "oddities":
			text += fmt.Sprintf(" --%s=%s", flag.Name, flag.Value)
		}
	})
	return text
}

func (f worldFlags) options(now func() time.Time) (simulated.Options, error) {
	if f.users < 1 || f.groups < 0 || f.latency < 0 {
		return simulated.Options{}, misused("give positive numbers", "--users %d, --groups %d, --latency %s make no world", f.users, f.groups, f.latency)
	}
	if f.night < 0 || f.night > maxNights {
		return simulated.Options{}, misused("give a number of nights, such as 1", "--night %d must be between 0 and %d", f.night, maxNights)
	}
	o := simulated.Demo()
	o.Now = now
	o.Users, o.Groups, o.Night, o.Seed, o.MaxLatency = f.users, f.groups, f.night, f.seed, f.latency
	o.MinLatency = min(o.MinLatency, f.latency)
	if f.set.Changed("users") || f.set.Changed("groups") {
		o.TencentUsers, o.TencentGroups = 0, 0 // as many as of RongCloud
	}
	if !f.oddities {
		o.Nasty, o.Huge, o.Disagreements = false, false, 0
	}
	return o, nil
}

// server is the simulated vendors on a loopback address.
type server struct {
	world   *simulated.World
	options simulated.Options
	http    *http.Server
	URL     string
	ended   chan error

	budget int    // requests a second that every endpoint takes; 0: each vendor's own, negative: any number
	again  string // the command that serves the same world at the same address
}

// again is the command that serves the world of the flags at the server's address.
func (a *app) again(s *server, flags worldFlags) string {
	return a.env.Program + " simulate --addr " + strings.TrimPrefix(s.URL, "http://") + flags.changed()
}

func serve(options simulated.Options, address string) (*server, error) {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || (host != "localhost" && (ip == nil || !ip.IsLoopback())) {
		return nil, misused("use 127.0.0.1:8080, or port 0 for any free one", "--addr %s is no loopback address with a port", address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Configuration, Message: address + " can't be listened on", Hint: "is it in use? port 0 takes any free one", Err: err}
	}
	world := simulated.New(options)
	s := &server{world: world, options: options, URL: "http://" + listener.Addr().String(), ended: make(chan error, 1)}
	s.http = &http.Server{Handler: world.Handler(), ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	door := world.Door(listener)
	go func() { s.ended <- s.http.Serve(door) }()
	return s, nil
}

// String says who is simulated.
func (s *server) String() string {
	o := s.options
	text := fmt.Sprintf("RongCloud (%s) and Tencent Cloud Chat (%s)",
		size(s.world.RongCloud, o, o.Users, o.Groups), size(s.world.Tencent, o, cmp.Or(o.TencentUsers, o.Users), cmp.Or(o.TencentGroups, o.Groups)))
	if o.Night > 0 {
		text += ", " + count(o.Night, "night") + " later"
	}
	return text
}

// size counts users and groups, and how many of them are there for their oddity; on later nights others have come.
func size(a *simulated.App, o simulated.Options, users, groups int) string {
	allUsers, allGroups := int64(len(a.UserIDs())), int64(len(a.GroupIDs()))
	text := humanize.Comma(allUsers) + " users in " + humanize.Comma(allGroups) + " groups"
	if u, g := allUsers-int64(users), allGroups-int64(groups); o.Night == 0 && (u > 0 || g > 0) {
		text += fmt.Sprintf(", %s and %s of them added as oddities", humanize.Comma(u), humanize.Comma(g))
	}
	return text
}

// sample is a group worth looking at: one that the views disagree about, if there is any.
func (s *server) sample() string {
	ids := s.world.RongCloud.GroupIDs()
	for _, id := range ids {
		if strings.HasPrefix(id, "disputed-") {
			return id
		}
	}
	return ids[0]
}

// close stops serving at once.
func (s *server) close() error {
	err := s.http.Close()
	if served := <-s.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// write makes dir a folder from which the simulated vendors can be asked: ID lists, the
// credentials of the simulated apps, and rollcall.hcl. It returns the path of the latter.
func (s *server) write(dir string) (string, error) {
	path := filepath.Join(dir, "rollcall.hcl")
	text, err := template.New("world").Parse(worldConfig)
	if err != nil {
		return "", err
	}
	var filled bytes.Buffer
	values := map[string]any{"Endpoint": s.URL, "SDKAppID": simulated.DemoSDKAppID, "Identifier": simulated.DemoIdentifier, "Again": s.again}
	s.budgets(values)
	err = text.Execute(&filled, values)
	if err != nil {
		return "", err
	}
	if err := s.lists(dir); err != nil {
		return "", unwritable(dir, err)
	}
	for name, text := range map[string]string{
		"rollcall.hcl": filled.String(), "rongcloud.key": simulated.DemoAppKey,
		"rongcloud.secret": simulated.DemoAppSecret, "tencentchat.secret": simulated.DemoSecretKey,
	} {
		mode := fs.FileMode(0o600) // credentials, if only of simulated apps: a run warns of those that others can read
		if name == "rollcall.hcl" {
			mode = 0o644
		}
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
			return "", unwritable(dir, err)
		}
	}
	return path, nil
}

// lists writes the ID lists into dir. One that is there already and the same is left alone: a run
// that goes on warns of lists that were written since it began.
func (s *server) lists(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(dir, ".lists-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	if err := s.world.WriteLists(fresh); err != nil {
		return err
	}
	return filepath.WalkDir(fresh, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(fresh, path)
		if err != nil {
			return err
		}
		target := filepath.Join(dir, name)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if there, err := os.ReadFile(target); err == nil && bytes.Equal(there, text) {
			return nil
		}
		return os.Rename(path, target)
	})
}

// anyNumber stands in a configuration for a budget without limit.
const anyNumber = 100_000

// budgets are the blocks that make a configuration ask as fast as the simulated vendors take it.
func (s *server) budgets(values map[string]any) {
	if s.budget == 0 {
		return
	}
	values["PerSecond"] = s.budget
	if s.budget < 0 {
		values["PerSecond"] = anyNumber
	}
	for vendor, definition := range map[string]sources.Definition{"RongCloud": rongcloud.Definition(), "TencentChat": tencentchat.Definition()} {
		var names []string
		for _, data := range definition.Data {
			names = append(names, data.Name)
		}
		values[vendor] = names
	}
}

func unwritable(dir string, err error) error {
	return &fault.Error{Kind: fault.Configuration, Message: dir + " can't be written", Hint: "name another folder with --out", Err: err}
}

// own refuses a folder that holds a configuration which is not one of the simulated vendors.
func own(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "rollcall.hcl"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	first, _, _ := bytes.Cut([]byte(worldConfig), []byte("\n"))
	if err != nil || !bytes.HasPrefix(text, first) {
		return misused("name another folder with --out", "%s holds a configuration of your own, which is not overwritten", dir)
	}
	return nil
}

// counts tells how many requests arrived, and how many of them in the fullest second.
func (s *server) counts(w console.Printer) {
	table, flush := w.Table()
	counts := s.world.Counts()
	for _, path := range simulated.Paths() {
		if c := counts[path]; c.Requests > 0 {
			table.Printf("  %s\t%s requests\tat most %s in any second\t%s refused as too many\n", path,
				humanize.Comma(int64(c.Requests)), humanize.Comma(int64(c.MaxPerSecond)), humanize.Comma(int64(c.Throttled)))
		}
	}
	flush()
}
