package local

// OpenWatched opens a folder whose every change is told to before, which may refuse it.
func OpenWatched(cfg Config, before func(operation, path string) error) (*Sink, error) {
	s, err := Open(cfg)
	if err == nil {
		s.disk.before = before
	}
	return s, err
}
