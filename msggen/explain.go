package msggen

import "example.org/comet/server/wire"

// maxStart is how much of an answer is kept to say why it is not HTTP/1.
const maxStart = 1 << 10

// notHTTPError is an answer that is none of HTTP/1.1.
type notHTTPError struct{ why string }

func (e *notHTTPError) Error() string { return e.why }

// malformed explains an answer that could not be read, by how it begins.
func malformed(start []byte, err error) error {
	return &notHTTPError{wire.NotHTTP1(start, err, wire.Publishing)}
}
