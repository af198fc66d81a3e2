package wire

import "bytes"

// Credential is the bearer token that a request head carries (RFC 6750, section
// 2): in the field Authorization, or as access_token in the query of its target,
// for an EventSource or a WebSocket of a browser, which can set no field.
type Credential struct {
	// Token is nil if there is none. It may lie in the head.
	Token []byte
	// Ambiguous reports that there is more than one: two fields, two parameters, or
	// one of each.
	Ambiguous bool
}

// credential returns what the head of a request for target carries.
func (f *fields) credential(target []byte) Credential {
	inField, _ := BearerToken(f.authorization)
	inQuery, more := accessToken(target)
	c := Credential{Token: inField, Ambiguous: f.authorizations > 1 || more || inField != nil && inQuery != nil}
	if c.Token == nil {
		c.Token = inQuery
	}
	return c
}

// BearerToken returns the token of an Authorization field. It returns nil and false
// for a field of another scheme, such as that of a proxy's own users.
func BearerToken(field []byte) (token []byte, ok bool) {
	scheme, token, found := bytes.Cut(field, []byte{' '})
	if !isInAnyCase(scheme, "bearer") {
		return nil, false
	}
	if !found {
		return []byte{}, true
	}
	return trimBlanks(token), true
}

// accessToken returns the parameter access_token of a target's query, nil if there
// is none, and whether there are several.
func accessToken(target []byte) (token []byte, more bool) {
	_, query, _ := bytes.Cut(target, []byte{'?'})
	for len(query) > 0 {
		parameter, rest, _ := bytes.Cut(query, []byte{'&'})
		query = rest
		name, value, _ := bytes.Cut(parameter, []byte{'='})
		if name, _ = decode(name); string(name) != "access_token" {
			continue
		}
		if token != nil {
			return token, true
		}
		plain, ok := decode(value)
		if !ok || plain == nil {
			plain = []byte{} // a parameter that is no token is still there
		}
		token = plain
	}
	return token, false
}

// tokenName is the parameter whose value is hidden.
var tokenName = []byte("access_token")

// HideToken returns a request line, or the beginning of one, with what may be an
// access token in its target replaced by ***, whichever way its name is written: what
// is no token to this server may still be one to another.
func HideToken(line []byte) []byte {
	if !namesToken(line) {
		return line
	}
	var b []byte
	for separators := "? "; len(line) > 0; {
		end := bytes.IndexAny(line, separators)
		if end < 0 {
			return append(b, hidden(line)...)
		}
		b = append(append(b, hidden(line[:end])...), line[end])
		if line[end] == '?' { // another one is part of a value
			separators = "& "
		}
		line = line[end+1:]
	}
	return b
}

// namesToken reports whether s has the name of a token anywhere.
func namesToken(s []byte) bool { return bytes.Contains(bytes.ToLower(decodeAll(s)), tokenName) }

// hidden returns a path or a parameter without what is behind the name of a token,
// such as one in the address of another page.
func hidden(part []byte) []byte {
	if !namesToken(part) {
		return part
	}
	name, _, found := bytes.Cut(part, []byte{'='})
	if !found {
		return []byte("***")
	}
	return append(bytes.Clone(name), "=***"...)
}

// decodeAll decodes s until nothing in it is encoded; what is malformed stays.
func decodeAll(s []byte) []byte {
	for range 4 {
		plain, changed := decodeValid(s)
		if !changed {
			break
		}
		s = plain
	}
	return s
}

// decodeValid replaces the percent-encoded characters that are well-formed.
func decodeValid(s []byte) (plain []byte, changed bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			c = byte(hexDigit(s[i+1])<<4 | hexDigit(s[i+2]))
			i += 2
			changed = true
		}
		plain = append(plain, c)
	}
	return plain, changed
}
