package flags

import "strings"

// Nearest returns the word that one was probably meant to be: the one at the
// least edit distance, at most a third of its letters, or the one that it begins
// or is the beginning of. "" if none is near.
func Nearest(word string, words []string) string {
	near, least := "", 1+max(1, len(word)/3)
	for _, w := range words {
		if d := distance(word, w); d < least {
			near, least = w, d
		}
	}
	if near != "" || len(word) < 3 {
		return near
	}
	for _, w := range words {
		if strings.HasPrefix(w, word) || len(w) > 2 && strings.HasPrefix(word, w) {
			return w
		}
	}
	return ""
}

// distance returns how many letters must be inserted, removed, replaced or
// swapped with their neighbour to make b of a.
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
