package plan

// stream is a run of values by ascending key, standing at one of them.
type stream[T any] struct {
	key   string
	value T
	more  bool
	err   error
	pull  func() (key string, value T, ok bool, err error)
}

func newStream[T any](pull func() (string, T, bool, error)) *stream[T] {
	s := &stream[T]{pull: pull}
	s.next()
	return s
}

func nothing[T any]() *stream[T] {
	return &stream[T]{}
}

func (s *stream[T]) next() {
	s.key, s.value, s.more, s.err = s.pull()
	s.more = s.more && s.err == nil
}

// at gives the value at key, if there is one, and goes on. Keys must be asked in ascending order,
// none below the stream's own.
func (s *stream[T]) at(key string) (value T, ok bool) {
	if !s.more || s.key != key {
		return value, false
	}
	value = s.value
	s.next()
	return value, true
}

// lower is the least of a key and the stream's own; the former counts only where there is one.
func (s *stream[T]) lower(key string, there bool) (string, bool) {
	if s.more && (!there || s.key < key) {
		return s.key, true
	}
	return key, there
}
