package fetch

import (
	"context"

	"rollcall/pipeline/spool"
)

// place is a group in the spool's order of rows; the zero value is its beginning.
type place struct{ source, group string }

// spooled reads the rows of some nodes from a place on.
func (n *node) spooled(ctx context.Context, of []*node, from place) (*spool.RowCursor, error) {
	blocks := make([]bool, len(n.fetch.nodes))
	for _, o := range of {
		blocks[o.index] = true
	}
	if err := n.fetch.Spool.Flush(ctx); err != nil {
		return nil, err
	}
	return n.fetch.Spool.Rows(ctx, spool.Filter{Blocks: func(b int) bool { return blocks[b] }, FromSource: from.source, FromGroup: from.group})
}

// answers streams the keys of one node that earlier runs had answered, in ascending order.
type answers struct {
	key            string
	rows, requests int64

	records *spool.RecordCursor
	more    bool
}

// records are what the spool keeps of the node's keys.
func (n *node) records(ctx context.Context) (*spool.RecordCursor, error) {
	return n.fetch.Spool.Records(ctx, spool.Filter{Blocks: func(b int) bool { return b == n.index }})
}

// answeredBefore opens the stream; in a fresh run it is empty.
func (n *node) answeredBefore(ctx context.Context) (*answers, error) {
	if !n.fetch.Resumed {
		return &answers{}, nil
	}
	records, err := n.records(ctx)
	if err != nil {
		return nil, err
	}
	return &answers{records: records, more: records.Next()}, nil
}

// recountBatches counts what the batches gave and took that earlier runs had answered.
func (n *node) recountBatches(ctx context.Context) error {
	if !n.fetch.Resumed {
		return nil
	}
	records, err := n.records(ctx)
	if err != nil {
		return err
	}
	defer records.Close()
	for records.Next() {
		if r := records.Record(); answered(r.Outcome) {
			n.rows.Add(r.Rows)
			n.requests.Add(r.Requests)
		}
	}
	return records.Err()
}

// Next goes to the next key whose last outcome is an answer.
func (a *answers) Next() bool {
	for a.more {
		a.key, a.rows, a.requests = a.records.Record().Key, 0, 0
		last := false
		for a.more && a.records.Record().Key == a.key {
			r := a.records.Record()
			last = answered(r.Outcome)
			a.rows += r.Rows
			a.requests += r.Requests
			a.more = a.records.Next()
		}
		if last {
			return true
		}
	}
	a.key = ""
	return false
}

// seek tells whether key is among the answers. Keys must be sought in ascending order.
func (a *answers) seek(key string) bool {
	for a.key < key {
		if !a.Next() {
			return false
		}
	}
	return a.key == key
}

// Err is what ended the stream too early.
func (a *answers) Err() error {
	if a.records == nil {
		return nil
	}
	return a.records.Err()
}

// Close ends the stream.
func (a *answers) Close() error {
	if a.records == nil {
		return nil
	}
	return a.records.Close()
}
