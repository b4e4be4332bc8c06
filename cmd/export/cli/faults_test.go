package cli

import (
	"math"
	"strings"
	"testing"

	"rollcall/sources/simulated"
)

func TestFaultsAreOrderedByNameAndRate(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]float64{ // all their probabilities, added up
		"reset":               0.05,
		"reset=10%":           0.1,
		" cut=0.5 , stall=1%": 0.51,
		"token=100%":          1,
	} {
		planted, err := faults(list)
		sum := 0.0
		for _, f := range planted {
			sum += f.Probability
		}
		if err != nil || math.Abs(sum-want) > 1e-9 {
			t.Errorf("%q: %v in all, %v", list, sum, err)
		}
	}
	planted, err := faults("passing=20%")
	untouched := 1.0
	for _, f := range planted {
		untouched *= 1 - f.Probability
	}
	if err != nil || untouched < 0.79 || untouched > 0.83 {
		t.Errorf("of all answers %v are untouched by passing=20%%, %v", untouched, err)
	}
	// The kinds of one name share its rate equally.
	for _, dish := range simulated.Menu() {
		left := 1.0
		for _, f := range dish.Order(0.3) {
			if hit := left * f.Probability; math.Abs(hit-0.3/float64(len(dish.Effects))) > 1e-9 {
				t.Errorf("%s: a kind hits %v of all", dish.Name, hit)
			}
			left *= 1 - f.Probability
		}
	}
}

func TestMistypedFaultsAreExplained(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		"resett":          "did you mean reset?",
		"code-itm=5%":     "did you mean code-item?",
		"earthquake":      "`rollcall help simulate` lists the faults",
		"reset=0%":        "is no rate above 0",
		"reset=150%":      "is no rate above 0",
		"reset=NaN":       "is no rate above 0",
		"reset=":          "is no rate above 0",
		"dns=5%":          "can't play dns",
		"reset,,cut":      `there is no fault ""`,
		"\x1b[31mred=5%":  `\x1b[31mred`,
		"passing=5%,dnss": "`rollcall help simulate` lists the faults",
	} {
		got := rollcall(t, "simulate", "--addr", "127.0.0.1:0", "--faults", list)
		if got.code != ChangeFirst || !strings.Contains(got.stderr, want) || strings.Contains(got.stderr, "\x1b") {
			t.Errorf("--faults %q ended with %d: %s", list, got.code, got.stderr)
		}
	}
}
