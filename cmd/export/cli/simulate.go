package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"rollcall/sources/simulated"
)

const aboutSimulate = `Serves both simulated vendors over HTTP on a loopback address, with their budgets and their strictness,
until it is stopped. With --out it writes ID lists and a rollcall.hcl that asks them, ready to run;
with --budget its budgets are those too. Unless --oddities=false, odd users and groups are added to
--users and --groups; without --night, the first line that it prints counts them. With --faults it answers
badly now and then. With --night N a small part of the memberships, roles and groups has changed N times, always in the same way.`

func (a *app) simulateCommand() *cobra.Command {
	var flags worldFlags
	var address, out, faulty string
	var budget int
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "serve the simulated vendors over HTTP, for trying a real configuration",
		Long:  aboutSimulate + "\n\n" + aboutFaults(),
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := flags.options(a.env.Now)
			if err != nil {
				return err
			}
			if budget != 0 {
				options.Limits = map[string]int{}
				for _, path := range simulated.Paths() {
					options.Limits[path] = budget
				}
			}
			var planted []simulated.Fault
			if faulty != "" {
				if planted, err = faults(faulty); err != nil {
					return err
				}
			}
			s, err := serve(options, address)
			if err != nil {
				return err
			}
			s.world.Fault(planted...)
			s.budget, s.again = budget, a.again(s, flags)
			if faulty != "" {
				s.again += " --faults=" + shell(faulty)
			}
			if budget != 0 {
				s.again += fmt.Sprintf(" --budget=%d", budget)
			}
			if err := a.invite(s, out); err != nil {
				_ = s.close() // the first error is the one to tell
				return err
			}
			select {
			case <-cmd.Context().Done():
			case err := <-s.ended:
				return err
			}
			s.counts(a.talk.Printer())
			return s.close()
		},
	}
	flags.register(cmd.Flags())
	cmd.Flags().StringVar(&address, "addr", "127.0.0.1:8080", "listen on this loopback `ADDRESS`; port 0 takes any free one")
	cmd.Flags().StringVar(&out, "out", "", "write ID lists and a rollcall.hcl into this `DIR`")
	cmd.Flags().IntVar(&budget, "budget", 0, "every endpoint takes `N` requests a second; negative: any number (default: each vendor's own)")
	cmd.Flags().StringVar(&faulty, "faults", "", "let things go wrong: a `LIST` as in reset=5%,html=1% or passing=10%")
	return cmd
}

// invite says what is served and what to type next.
func (a *app) invite(s *server, out string) error {
	a.out.Printer().Printf("Simulated: %s at %s. Ctrl-C stops it.\n", s, s.URL)
	if out == "" {
		a.out.Printer().Printf("  rongcloud:   app_key %s, app_secret %s\n  tencentchat: sdk_app_id %s, identifier %s, secret_key %s\nWith --out DIR it also writes ID lists and a rollcall.hcl that asks it.\n",
			simulated.DemoAppKey, simulated.DemoAppSecret, simulated.DemoSDKAppID, simulated.DemoIdentifier, simulated.DemoSecretKey)
		return a.out.Flush()
	}
	if err := own(out); err != nil {
		return err
	}
	path, err := s.write(out)
	if err != nil {
		return err
	}
	a.out.Printer().Printf("In another terminal:\n  %[2]s validate --config %[1]s\n  %[2]s plan --config %[1]s\n  %[2]s run --config %[1]s\n", shell(path), a.env.Program)
	return a.out.Flush()
}
