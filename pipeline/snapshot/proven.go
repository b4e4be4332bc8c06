package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"rollcall/schema/disk"
	"rollcall/sinks"
)

// Proven is the same snapshot, each of whose files is copied into the folder dir and held against
// its SHA-256 before a row of it is read, and removed when it has been read: what is told of such
// rows rests on the bytes that were sealed. One that has other bytes is *DamagedError.
func (s *Snapshot) Proven(dir string, d disk.Disk) *Snapshot {
	proven := *s
	proven.Sink = &prover{Sink: s.Sink, of: s, dir: dir, disk: disk.Or(d)}
	return &proven
}

// prover is a sink whose files are proven when they are opened.
type prover struct {
	sinks.Sink
	of     *Snapshot
	dir    string
	disk   disk.Disk
	copies atomic.Int64
}

// OpenAt copies the file and proves it.
func (p *prover) OpenAt(ctx context.Context, path string) (sinks.File, error) {
	source, err := p.Sink.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	name := filepath.Join(p.dir, fmt.Sprintf("proven-%06d", p.copies.Add(1)))
	sealed := p.size(path)
	sum, size, err := p.copy(io.LimitReader(source, sealed+1), name)
	if err == nil && size > sealed {
		err = p.of.damaged("%s has more than the %d bytes that its manifest says", p.Sink.URL(path), sealed)
	}
	if err == nil {
		err = p.prove(path, sum, size)
	}
	if err != nil {
		return nil, errors.Join(err, p.disk.Remove(name))
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return &copied{File: file, size: size, disk: p.disk}, nil
}

func (p *prover) copy(source io.Reader, name string) (sum string, size int64, err error) {
	local, err := p.disk.Create(name, 0o600)
	if err != nil {
		return "", 0, err
	}
	hash := sha256.New()
	size, err = io.Copy(io.MultiWriter(local, hash), source)
	return hex.EncodeToString(hash.Sum(nil)), size, errors.Join(err, local.Close())
}

// size is how many bytes the manifest says that the file has.
func (p *prover) size(path string) int64 {
	for _, f := range p.of.Files {
		if f.Path == path {
			return f.Size
		}
	}
	return 0
}

// prove holds a copy against the manifest. Another size is for the reader to find.
func (p *prover) prove(path, sum string, size int64) error {
	for _, f := range p.of.Files {
		if f.Path == path && f.Size == size && f.SHA256 != sum {
			return p.of.damaged("%s has other bytes than were sealed: its SHA-256 is %s, its manifest says %s", p.Sink.URL(path), sum, f.SHA256)
		}
	}
	return nil
}

// copied is a local copy that goes when it is closed.
type copied struct {
	*os.File
	size int64
	disk disk.Disk
}

// Size is the copy's length in bytes.
func (c *copied) Size() int64 { return c.size }

// Close removes the copy.
func (c *copied) Close() error { return errors.Join(c.File.Close(), c.disk.Remove(c.Name())) }
