package wire

import "regexp"

var (
	// password is the user information of a URL (RFC 3986, section 3.2.1), up to the
	// last @ of its authority, as package net/url reads it.
	password = regexp.MustCompile(`//[^/?#]*@`)
	// parameter is one of a query that holds a secret; {token} is none.
	parameter = regexp.MustCompile(`(?i)([?&][^=&]*(?:auth|key|token|secret|password)[^=&]*=)[^&{}]+`)
)

// ShowURL returns a URL, which need not be a valid one, for a message or a report:
// without what lets somebody in.
func ShowURL(url string) string {
	return parameter.ReplaceAllString(password.ReplaceAllString(url, "//...@"), "$1...")
}
