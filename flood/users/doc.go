// Package users reads the file of who connects, a CSV row per user, and fills
// the rows into the texts that a connection sends: URLs, headers, bodies,
// messages. A hole in a text is the name of a column in braces:
//
//	id,token
//	alice,s3cret
//
//	GET /stream/{id}    Authorization: Bearer {token}
//
// Each value is escaped for the place it stands in. Braces that name no column
// stay as they are.
package users
