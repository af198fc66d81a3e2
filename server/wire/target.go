package wire

import (
	"bytes"
	"math"
	"slices"
)

// pathOf takes the path out of a request target, which may be in absolute
// form (RFC 9112, section 3.2.2) and may carry a query, ignored here.
func pathOf(target []byte) []byte {
	path, _, _ := bytes.Cut(target, []byte{'?'})
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(path) >= len(scheme) && bytes.EqualFold(path[:len(scheme)], []byte(scheme)) {
			path = path[len(scheme):]
			return path[max(bytes.IndexByte(path, '/'), 0):] // no path: a host is none of ours
		}
	}
	return path
}

// kindOf finds the kind of stream that a path names, and its list of ids. A
// percent-encoded character is the character (RFC 3986, section 2.1), but an
// encoded slash separates nothing.
func kindOf(path []byte) (kind Kind, ids []byte, ok bool) {
	if len(path) == 0 || path[0] != '/' {
		return 0, nil, false
	}
	name, ids, found := bytes.Cut(path[1:], []byte{'/'})
	if !found {
		return 0, nil, false
	}
	name, _ = decode(name) // what is malformed is no name of ours
	for k, known := range names {
		if known != "" && string(name) == known {
			return Kind(k), ids, true
		}
	}
	return 0, nil, false
}

// decode replaces percent-encoded characters, and reports false where a percent
// sign is not followed by two hexadecimal digits. It copies only if there are
// any.
func decode(s []byte) ([]byte, bool) {
	i := bytes.IndexByte(s, '%')
	if i < 0 {
		return s, true
	}
	plain := append(make([]byte, 0, len(s)), s[:i]...)
	for ; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return nil, false
			}
			c = byte(hexDigit(s[i+1])<<4 | hexDigit(s[i+2]))
			i += 2
		}
		plain = append(plain, c)
	}
	return plain, true
}

// appendIDs reads `1,2,3`: whole numbers from 0 to 2^63-1, each kept once.
func appendIDs(ids []int64, list []byte) ([]int64, bool) {
	list, ok := decode(list)
	if !ok {
		return ids, false
	}
	var seen map[int64]bool // once there are many
	const many = 64
	for {
		part, rest, more := bytes.Cut(list, []byte{','})
		id, ok := ParseID(part)
		if !ok {
			return ids, false
		}
		if len(ids) == many && seen == nil {
			seen = make(map[int64]bool)
			for _, id := range ids {
				seen[id] = true
			}
		}
		if seen == nil && !slices.Contains(ids, id) || seen != nil && !seen[id] {
			ids = append(ids, id)
			if seen != nil {
				seen[id] = true
			}
		}
		if !more {
			return ids, true
		}
		list = rest
	}
}

// ParseID reads an id as a path spells it: a whole number from 0 to 2^63-1.
func ParseID(s []byte) (int64, bool) {
	if len(s) == 0 {
		return 0, false
	}
	var n int64
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		d := int64(c - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}
