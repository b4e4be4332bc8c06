package console

import (
	"context"
	"io"
)

// Input reads stdin, and gives up when the work is asked to stop: whoever writes there may never do so.
type Input struct {
	from io.Reader
	ctx  context.Context
	left []byte
	err  error
	more chan got // while a read is under way
}

// got is what one read gave.
type got struct {
	text []byte
	err  error
}

// NewInput reads from until ctx ends.
func NewInput(ctx context.Context, from io.Reader) *Input { return &Input{from: from, ctx: ctx} }

// Read reads what there is. After the end of the context it gives its error.
func (i *Input) Read(p []byte) (int, error) {
	for len(i.left) == 0 {
		if i.err != nil || len(p) == 0 {
			return 0, i.err
		}
		if i.more == nil {
			more := make(chan got, 1)
			i.more = more
			go func() {
				text := make([]byte, whole)
				n, err := i.from.Read(text)
				more <- got{text[:n], err}
			}()
		}
		select {
		case g := <-i.more:
			i.left, i.err, i.more = g.text, g.err, nil
		case <-i.ctx.Done():
			return 0, i.ctx.Err()
		}
	}
	n := copy(p, i.left)
	i.left = i.left[n:]
	return n, nil
}
