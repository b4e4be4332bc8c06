package simulated

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// WriteLists writes what the vendors' customer would know, one ID a line: rongcloud/users.txt,
// rongcloud/groups.txt, tencentchat/users.txt and tencentchat/groups.txt under dir.
func (w *World) WriteLists(dir string) error {
	for name, a := range map[string]*App{"rongcloud": w.RongCloud, "tencentchat": w.Tencent} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
		if err := writeLines(filepath.Join(dir, name, "users.txt"), a.UserIDs()); err != nil {
			return err
		}
		if err := writeLines(filepath.Join(dir, name, "groups.txt"), a.GroupIDs()); err != nil {
			return err
		}
	}
	return nil
}

// UserIDs lists the users that users.txt names.
func (a *App) UserIDs() []string {
	var ids []string
	for u := range a.Truth().Users() {
		if u.Listed {
			ids = append(ids, u.ID)
		}
	}
	return ids
}

// GroupIDs lists the groups that groups.txt names, gone ones too.
func (a *App) GroupIDs() []string {
	var ids []string
	for g := range a.Truth().Groups() {
		if g.Listed {
			ids = append(ids, g.ID)
		}
	}
	return ids
}

func writeLines(path string, lines []string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(f)
	for _, line := range lines {
		if strings.ContainsAny(line, "\r\n") {
			_ = f.Close()
			return fmt.Errorf("%s: an ID with a line break, %q, does not fit into a list of lines", path, line)
		}
		_, _ = b.WriteString(line) // the Flush tells of any failure
		_ = b.WriteByte('\n')
	}
	if err := b.Flush(); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
