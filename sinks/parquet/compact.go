package parquet

import (
	"encoding/binary"
	"errors"
)

// errShort says that the data end within what is being read.
var errShort = errors.New("it ends too early")

var errMalformed = errors.New("it is malformed")

// compact walks through a structure of Thrift's compact protocol, in which footers and page headers are
// written, and allocates nothing: the library believes the lengths that such structures claim.
type compact struct {
	data  []byte
	at    int
	items int                            // elements of lists that may still come
	visit func(path [2]int, value int64) // of integers, and of structures, as whose value it is given 0
}

// The types of fields.
const (
	isTrue   = 1
	isFalse  = 2
	isByte   = 3
	isI16    = 4
	isI32    = 5
	isI64    = 6
	isDouble = 7
	isBinary = 8
	isList   = 9
	isSet    = 10
	isMap    = 11
	isStruct = 12
)

// deepest is how deep structures may lie in each other.
const deepest = 32

// structure walks through one structure. What is at most two fields deep is visited.
func (c *compact) structure(path [2]int, depth int) error {
	if depth > deepest {
		return errMalformed
	}
	id := 0
	for {
		head, err := c.octet()
		if err != nil || head == 0 {
			return err
		}
		if id += int(head >> 4); head>>4 == 0 {
			v, err := c.varint()
			if err != nil {
				return err
			}
			id = int(int16(v>>1) ^ -int16(v&1))
		}
		at := path
		if depth < len(at) {
			at[depth] = id
		}
		if err := c.value(head&15, at, depth, true); err != nil {
			return err
		}
	}
}

// value walks through one value. As a field, a truth value has no bytes of its own.
func (c *compact) value(kind byte, path [2]int, depth int, field bool) error {
	switch kind {
	case isTrue, isFalse:
		if !field {
			return c.skip(1)
		}
		return nil
	case isByte:
		return c.skip(1)
	case isI16, isI32, isI64:
		v, err := c.varint()
		if err == nil && c.visit != nil && depth < len(path) {
			c.visit(path, int64(v>>1)^-int64(v&1))
		}
		return err
	case isDouble:
		return c.skip(8)
	case isBinary:
		n, err := c.varint()
		if err != nil {
			return err
		}
		return c.skip(n)
	case isList, isSet:
		return c.list(depth)
	case isMap:
		return c.pairs(depth)
	case isStruct:
		if c.visit != nil && depth < len(path) {
			c.visit(path, 0)
		}
		return c.structure(path, depth+1)
	}
	return errMalformed
}

func (c *compact) list(depth int) error {
	head, err := c.octet()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = c.varint(); err != nil {
			return err
		}
	}
	return c.elements(n, depth, head&15)
}

func (c *compact) pairs(depth int) error {
	n, err := c.varint()
	if err != nil || n == 0 {
		return err
	}
	kinds, err := c.octet()
	if err != nil {
		return err
	}
	return c.elements(n, depth, kinds>>4, kinds&15)
}

// elements walks through n elements, each of one or two values of at least a byte.
func (c *compact) elements(n uint64, depth int, kinds ...byte) error {
	if n > uint64(c.items) {
		return errMalformed
	}
	c.items -= int(n)
	if n > uint64(len(c.data)-c.at) {
		return errShort
	}
	for range n {
		for _, kind := range kinds {
			if err := c.value(kind, [2]int{}, max(depth, len([2]int{})), false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *compact) octet() (byte, error) {
	if c.at >= len(c.data) {
		return 0, errShort
	}
	c.at++
	return c.data[c.at-1], nil
}

func (c *compact) varint() (uint64, error) {
	v, n := binary.Uvarint(c.data[c.at:])
	switch {
	case n == 0:
		return 0, errShort
	case n < 0:
		return 0, errMalformed
	}
	c.at += n
	return v, nil
}

func (c *compact) skip(n uint64) error {
	if n > uint64(len(c.data)-c.at) {
		return errShort
	}
	c.at += int(n)
	return nil
}
