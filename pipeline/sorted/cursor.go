package sorted

import (
	"bytes"
	"errors"
)

// reader gives the records of one sorted run, each valid until the next read.
type reader interface {
	read() (key, value []byte, ok bool, err error)
	close() error
}

// Cursor gives sorted records one after the other. It is for one goroutine.
type Cursor struct {
	tree       *tree
	unique     bool
	last       []byte
	started    bool
	key, value []byte
	err        error
	remove     func() error
	check      func() error
	given      int
}

// openCursor merges runs on disk with what readers give.
func openCursor(paths []string, readers []reader, unique bool) (*Cursor, error) {
	for _, path := range paths {
		r, err := openRun(path)
		if err != nil {
			for _, r := range readers {
				r.close()
			}
			return nil, err
		}
		readers = append(readers, r)
	}
	return &Cursor{tree: newTree(readers), unique: unique}, nil
}

// Next goes to the next record. It returns false at the end and after an error.
func (c *Cursor) Next() bool {
	for c.err == nil {
		var ok bool
		if c.given++; c.check != nil && c.given%checkEvery == 0 {
			if c.err = c.check(); c.err != nil {
				break
			}
		}
		c.key, c.value, ok, c.err = c.tree.next()
		if !ok || c.err != nil {
			break
		}
		if !c.unique {
			return true
		}
		if !c.started || !bytes.Equal(c.last, c.key) {
			c.started, c.last = true, append(c.last[:0], c.key...)
			return true
		}
	}
	c.key, c.value = nil, nil
	return false
}

// Key is the record's key, valid until the next call of Next.
func (c *Cursor) Key() []byte { return c.key }

// Value is the record's value, valid until the next call of Next.
func (c *Cursor) Value() []byte { return c.value }

// Err is what ended the records too early, or nil.
func (c *Cursor) Err() error { return c.err }

// Close removes all temporary files. It is safe to call twice and before the end.
func (c *Cursor) Close() error {
	var errs []error
	for _, r := range c.tree.readers {
		errs = append(errs, r.close())
	}
	c.tree = newTree(nil)
	if c.remove != nil {
		errs = append(errs, c.remove())
		c.remove = nil
	}
	return errors.Join(errs...)
}

// tree is a tournament of readers: each inner node remembers who lost there, so that replacing
// the winner takes one comparison for each level.
type tree struct {
	readers []reader
	heads   []head
	losers  []int // by inner node, from 1; losers[0] is the winner
	started bool
}

// head is the record at which a reader stands; done sorts after every record.
type head struct {
	key, value []byte
	done       bool
}

func newTree(readers []reader) *tree {
	return &tree{readers: readers, heads: make([]head, len(readers)), losers: make([]int, max(len(readers), 1))}
}

// next gives the smallest record that was not given yet.
func (t *tree) next() (key, value []byte, ok bool, err error) {
	if len(t.readers) == 0 {
		return nil, nil, false, nil
	}
	if t.started {
		err = t.advance(t.losers[0])
		t.replay(t.losers[0])
	} else {
		t.started = true
		for i := range t.readers {
			err = errors.Join(err, t.advance(i))
		}
		t.losers[0] = t.build(1)
	}
	winner := &t.heads[t.losers[0]]
	return winner.key, winner.value, !winner.done && err == nil, err
}

func (t *tree) advance(i int) error {
	key, value, ok, err := t.readers[i].read()
	t.heads[i] = head{key: key, value: value, done: !ok}
	return err
}

// build plays all matches below node and returns the winner. Leaves are the nodes from
// len(readers) on.
func (t *tree) build(node int) int {
	if node >= len(t.readers) {
		return node - len(t.readers)
	}
	left, right := t.build(2*node), t.build(2*node+1)
	if t.less(right, left) {
		left, right = right, left
	}
	t.losers[node] = right
	return left
}

// replay plays the matches from i's leaf to the root after its head has changed.
func (t *tree) replay(i int) {
	for node := (i + len(t.readers)) / 2; node > 0; node /= 2 {
		if t.less(t.losers[node], i) {
			i, t.losers[node] = t.losers[node], i
		}
	}
	t.losers[0] = i
}

func (t *tree) less(i, j int) bool {
	x, y := &t.heads[i], &t.heads[j]
	if x.done || y.done {
		return !x.done
	}
	return compareRecords(x.key, x.value, y.key, y.value) < 0
}
