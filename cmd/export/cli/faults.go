package cli

import (
	"fmt"
	"strconv"
	"strings"

	"rollcall/schema/advice"
	"rollcall/schema/spelling"
	"rollcall/sources/simulated"
)

// passingFaults is the name of all faults together that a run gets over.
const passingFaults = "passing"

// usualRate of a fault that is named without one.
const usualRate = 0.05

// aboutFaults lists the faults for the help.
func aboutFaults() string {
	var b strings.Builder
	b.WriteString("Faults, each as NAME or NAME=RATE (5% of all answers if none is given), with commas between them:\n")
	for _, dish := range simulated.Menu() {
		if dish.Online {
			b.WriteString(fmt.Sprintf("  %-20s%s\n", dish.Name, dish.Doc))
		}
	}
	b.WriteString(fmt.Sprintf("  %-20s%s\n", passingFaults, "all of these that a run gets over, the rate shared among them"))
	b.WriteString("Names that are not found and TLS that fails can't be played by a server that has been reached.")
	return b.String()
}

// faults reads the flag --faults.
func faults(list string) ([]simulated.Fault, error) {
	var all []simulated.Fault
	for item := range strings.SplitSeq(list, ",") {
		name, text, given := strings.Cut(strings.TrimSpace(item), "=")
		rate := usualRate
		if given {
			var err error
			if rate, err = parseRate(text); err != nil {
				return nil, err
			}
		}
		dishes, err := dishesCalled(name)
		if err != nil {
			return nil, err
		}
		for _, dish := range dishes {
			all = append(all, dish.Order(rate/float64(len(dishes)))...)
		}
	}
	return all, nil
}

// parseRate reads "5%" or "0.05".
func parseRate(text string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	rate, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		rate /= 100
	}
	if err != nil || !(rate > 0 && rate <= 1) {
		return 0, misused("give a part of all answers, as in reset=5% or reset=0.05", "--faults: %q is no rate above 0 and up to 100%%", text)
	}
	return rate, nil
}

func dishesCalled(name string) ([]simulated.Dish, error) {
	names := []string{passingFaults}
	var passing []simulated.Dish
	for _, dish := range simulated.Menu() {
		switch {
		case dish.Name == name && !dish.Online:
			return nil, misused("take refused or reset, which end a request as early", "--faults: a server that has been reached can't play %s (%s)", name, dish.Doc)
		case dish.Name == name:
			return []simulated.Dish{dish}, nil
		case dish.Online:
			names = append(names, dish.Name)
			if dish.Passing {
				passing = append(passing, dish)
			}
		}
	}
	if name == passingFaults {
		return passing, nil
	}
	hint := advice.Say("{} lists the faults", advice.Rollcall("help", "simulate"))
	if nearest := spelling.Nearest(name, names); nearest != "" {
		hint.Text = "did you mean " + nearest + "? " + hint.Text
	}
	return nil, misusedSo(hint, "--faults: there is no fault %q", name)
}
