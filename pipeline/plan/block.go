package plan

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/sources"
)

// block is a data block while it is planned.
type block struct {
	data       job.Data
	index      int // in the job and the spool
	upstream   []*block
	lane       *lane
	definition sources.Definition
	listed     int64   // how many IDs the longest of its lists had in the base
	retries    float64 // the part of the base's requests that only repeated others

	// What the walk counts.
	givenKeys int64
	users     int64 // given, of a product
	answered  int64
	before    sum             // what all keys of the base came to
	tonight   sum             // what the keys came to that a stopped run asked
	known     sum             // given, to be asked, and in the base: what they came to then
	found     sum             // discovered then, to be asked and not given
	fresh     int64           // given, to be asked, and not in the base
	surplus   int64           // named by the spool, to be asked, neither given nor in the base
	named     int64           // all discovered keys, or batches, that the spool names and nobody asked
	sizes     map[int64]int64 // of a role block's groups: how many have so many pairs to be asked
	started   map[int64]int64 // of a product's groups: how many have so many users asked
	other     [2]int64        // requests of known and found keys at the other block's page size
	long      []long          // the keys that take the most requests

	unlisted bool // a list of its keys could not be read

	// What follows from it.
	asked    Count // keys to be asked
	requests Count
	basis    Basis
	done     bool
	end      end
}

// sum is what some keys came to.
type sum struct {
	keys, requests, rows int64
	squares              float64 // of the keys' requests
}

func (s *sum) add(requests, rows int64) {
	s.keys++
	s.requests += requests
	s.rows += rows
	s.squares += float64(requests) * float64(requests)
}

// scatter is how far apart keys are in their requests: the standard deviation.
func (s sum) scatter() float64 {
	n := float64(max(1, s.keys))
	mean := float64(s.requests) / n
	return math.Sqrt(max(0, s.squares/n-mean*mean))
}

// long is a key of many requests, which follow one upon another, and how many were asked before it.
type long struct{ before, requests int64 }

const longest = 8 // kept of each block

// product tells whether every user is asked in every group.
func (b *block) product() bool {
	return b.data.Kind.Key == sources.RoleKey && len(b.data.Memberships) == 0
}

// meet counts one user or group.
func (b *block) meet(given bool, then schema.KeyOutcome, before bool, named pairs, answered bool) {
	discovered := named.waiting+named.asked > 0
	switch {
	case answered:
		b.answered++
		return
	case before && given:
		b.remember(then.Requests)
		b.known.add(then.Requests, then.Rows)
		b.other[0] += b.otherwise(then.Rows)
	case before && len(b.upstream) > 0:
		b.remember(then.Requests)
		b.found.add(then.Requests, then.Rows)
		b.other[1] += b.otherwise(then.Rows)
	case given:
		b.fresh++
	case discovered:
		b.surplus++
	}
	if discovered && !given {
		b.named++
	}
}

// meetGroup counts one group of a role block.
func (b *block) meetGroup(then schema.KeyOutcome, before bool, now pairs) {
	batch := int64(b.data.Kind.Batch)
	if now.asked > 0 {
		b.answered++
	}
	if b.product() {
		if now.asked > 0 {
			b.started[now.asked]++
		}
		return
	}
	left := now.waiting
	if now.waiting > 0 {
		b.named += ceil(now.waiting, batch)
	}
	if before { // a group that gave no rows had as many pairs as its requests can hold
		size := max(then.Rows, (then.Requests-1)*batch+1)
		left = max(left, size-now.asked)
	}
	if left > 0 {
		b.sizes[left]++
	}
}

// sibling is a data block of the same vendor that asks about the same keys and gives the same view
// with more rows a request.
func (b *block) sibling() (sources.Data, bool) {
	best := b.data.Kind
	for _, d := range b.definition.Data {
		if d.Key == b.data.Kind.Key && d.View == b.data.Kind.View && d.PageSize > best.PageSize {
			best = d
		}
	}
	return best, best.Name != b.data.Kind.Name
}

// otherwise is how many requests the sibling needs for a key of so many rows.
func (b *block) otherwise(rows int64) int64 {
	sibling, _ := b.sibling()
	if sibling.OpenEnd {
		return rows/int64(sibling.PageSize) + 1
	}
	return ceil(rows, int64(sibling.PageSize))
}

// again is how many requests a key of the base will cost: what it cost then, and no less than its rows take now. A
// snapshot sealed by an older version may have been content with a full page that reached the total.
func (b *block) again(key string, then schema.KeyOutcome) int64 {
	kind := b.data.Kind
	if !kind.OpenEnd || then.Outcome != string(schema.OK) || kind.Linked != "" && strings.HasPrefix(key, kind.Linked) {
		return then.Requests
	}
	size := int64(kind.PageSize)
	if len(b.data.Only) > 0 && then.Rows > 0 { // an empty page alone is an end
		return max(then.Requests, ceil(then.Rows, size)+1)
	}
	return max(then.Requests, then.Rows/size+1)
}

// remember keeps the keys that take the most requests.
func (b *block) remember(requests int64) {
	if requests < 2 {
		return
	}
	b.long = append(b.long, long{before: b.known.requests + b.found.requests + b.fresh, requests: requests})
	slices.SortStableFunc(b.long, func(x, y long) int { return -cmp.Compare(x.requests, y.requests) })
	b.long = b.long[:min(len(b.long), longest)]
}

// unit is what the block's keys are called.
func (b *block) unit() string {
	if b.data.Kind.Key == sources.UserKey {
		return "users"
	}
	return "groups"
}

// estimate tells keys and requests from what was counted. Upstream blocks go first.
func (b *block) estimate() {
	if b.done {
		return
	}
	b.done = true
	for _, up := range b.upstream {
		up.estimate()
	}
	switch {
	case b.product():
		b.estimateProduct()
	case b.data.Kind.Key == sources.RoleKey:
		b.estimatePairs()
	default:
		b.estimateSingles()
	}
	if b.unlisted || slices.ContainsFunc(b.upstream, func(up *block) bool { return up.unlisted }) {
		b.unlisted, b.basis = true, AtLeast
		b.asked, b.requests = atLeast(b.asked.Least), atLeast(b.requests.Least)
	}
}

// ratio is how many keys the upstream blocks have tonight for each one in the base. Sure means
// that they are the same keys.
func (b *block) ratio() (ratio float64, sure bool) {
	now, then, same := 0.0, 0.0, true
	for _, up := range b.upstream {
		now += float64(up.asked.Expected + up.answered)
		then += float64(up.before.keys)
		same = same && up.fresh == 0 && up.surplus == 0
	}
	if then == 0 || now == 0 {
		return 1, false
	}
	return now / then, same && now == then
}

// doubt is how far a discovered figure may be off.
func doubt(sure bool) float64 {
	if sure {
		return narrow
	}
	return wide
}

func (b *block) estimateSingles() {
	givenLeft := b.known.keys + b.fresh
	floor := givenLeft + b.named
	mean, basis := b.mean()
	b.basis = basis
	if basis != Snapshot {
		b.estimateBare(floor, mean, basis)
		return
	}
	clean, requests, keys := 1-b.retries, spread{}, spread{}
	requests.add(float64(b.known.requests)*clean, narrow)
	requests.addUnknown(float64(b.fresh), mean, b.before.scatter())
	if len(b.upstream) > 0 {
		b.addFound(&requests, float64(b.found.requests)*clean)
		b.addFound(&keys, float64(b.found.keys))
		requests.addUnknown(float64(b.surplus), mean, b.before.scatter())
		keys.add(float64(b.surplus), wide)
	}
	found := keys.count(b.named)
	if len(b.upstream) == 0 {
		found = exactly(0)
	}
	b.asked = exactly(givenLeft).plus(found)
	b.requests = requests.count(b.asked.Least)
	if b.asked.Exact() && b.asked.Least == 0 {
		b.requests, b.basis = exactly(0), Exact
	}
}

// addFound adds what the base's discovered keys came to. Where a list is shorter now, some of them
// were given then and not discovered, and nobody knows which.
func (b *block) addFound(s *spread, n float64) {
	ratio, sure := b.ratio()
	stays := 1.0
	if b.found.keys > 0 {
		dropped := min(max(0, b.listed-b.known.keys-b.answered), b.found.keys)
		stays -= float64(dropped) / float64(b.found.keys)
	}
	s.addBetween(n*min(1, ratio)*stays, n*ratio*stays, n*max(1, ratio), doubt(sure))
}

// estimateBare knows the keys and no more, or what a stopped run's keys cost.
func (b *block) estimateBare(floor int64, mean float64, basis Basis) {
	b.asked, b.requests = atLeast(floor), atLeast(floor)
	b.requests.Expected = int64(float64(floor)*mean + 0.5)
	if len(b.upstream) > 0 {
		b.basis = AtLeast
		return
	}
	b.asked, b.basis = exactly(floor), basis
	if floor == 0 {
		b.requests, b.basis = exactly(0), Exact
	}
}

// mean is what one key is expected to cost.
func (b *block) mean() (float64, Basis) {
	switch {
	case b.before.keys > 0:
		return max(1, float64(b.before.requests)*(1-b.retries)/float64(b.before.keys)), Snapshot
	case b.tonight.keys > 0:
		return max(1, float64(b.tonight.requests)/float64(b.tonight.keys)), Tonight
	default:
		return 1, AtLeast
	}
}

// estimatePairs counts the batches of pairs that other blocks discover.
func (b *block) estimatePairs() {
	batch := int64(b.data.Kind.Batch)
	if b.before.keys == 0 {
		groups := int64(0)
		for _, n := range b.sizes {
			groups += n
		}
		b.asked, b.requests, b.basis = atLeast(groups), atLeast(b.named), AtLeast
		return
	}
	ratio, sure := b.ratio()
	var requests, keys spread
	now, then := 0.0, 0.0
	for size, groups := range b.sizes {
		keys.expected += float64(groups)
		then += float64(groups * ceil(size, batch))
		now += float64(groups * ceil(int64(float64(size)*ratio), batch))
	}
	if then > 0 {
		requests.addScaled(then, now/then, doubt(sure))
	}
	groups := keys.expected
	keys = spread{}
	keys.addScaled(groups, 1, doubt(sure))
	b.asked, b.requests, b.basis = keys.count(0), requests.count(b.named), Snapshot
}

// estimateProduct counts the batches of every user in every group.
func (b *block) estimateProduct() {
	batch := int64(b.data.Kind.Batch)
	groups, users := b.side(b.data.Groups, b.givenKeys), b.side(b.data.Users, b.users)
	times := func(g, u int64) int64 { return g * ceil(u, batch) }
	b.asked = groups
	b.requests = Count{Least: times(groups.Least, users.Least), Expected: times(groups.Expected, users.Expected)}
	b.basis = AtLeast
	if groups.Most != nil && users.Most != nil {
		most := times(*groups.Most, *users.Most)
		b.requests.Most, b.basis = &most, Snapshot
	}
	if !groups.Exact() || !users.Exact() {
		return
	}
	n := b.requests.Least
	for asked, groups := range b.started { // of what a stopped run began, the rest
		n -= groups * ceil(users.Least, batch)
		if left := users.Least - asked; left > 0 {
			n += groups * ceil(left, batch)
		}
	}
	b.requests, b.basis = exactly(n), Exact
}

// side counts one side of a product: the IDs given, and the groups that other blocks discover.
func (b *block) side(in job.Input, given int64) Count {
	switch {
	case len(in.From) == 0:
		return exactly(given)
	case b.before.keys == 0, !slices.Equal(in.From, b.data.Groups.From):
		return atLeast(given)
	}
	ratio, sure := b.ratio()
	var keys spread
	keys.addScaled(float64(max(b.before.keys, given)), ratio, doubt(sure))
	return keys.count(given)
}
