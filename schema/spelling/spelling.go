// Package spelling finds the name that a person probably meant, and writes text from elsewhere so that
// it can be shown, and names characters that can't be seen. It never fails: where nothing is near enough it
// says so by an empty string.
package spelling

import "unicode/utf8"

// Nearest gives the one of names that is nearest to given, or "" where none is near: at most a
// third of the letters, and never more than three, may differ. A neighbour that was swapped
// counts as one. Of equally near names the first wins.
func Nearest(given string, names []string) string {
	allowed := min(max(utf8.RuneCountInString(given)/3, 1), 3)
	best, nearest := allowed+1, ""
	for _, name := range names {
		if d := distance([]rune(given), []rune(name)); d < best {
			best, nearest = d, name
		}
	}
	return nearest
}

// distance counts the letters to insert, remove, replace or swap with their neighbour.
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
