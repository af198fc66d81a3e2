package flood

import (
	"bytes"
	"cmp"
	"strings"

	"example.org/comet/server/wire"
)

// maxSaid is how much of what a server says of its program is kept, in bytes.
const maxSaid = 80

// witness is what the first answer of a kind says of the server's program.
type witness struct {
	heard bool
	says  string
}

// server returns what answers say of it: of those that were refused, if any was.
func (o *observer) server() string { return cmp.Or(o.witnesses[1].says, o.witnesses[0].says) }

// hear reads it from the head of an answer, unless there was one before.
func (w *witness) hear(head []byte) {
	if w.heard {
		return
	}
	w.heard = true
	var names [2]string
	fields := wire.HeadFields(head)
	for name, value, ok := fields.Next(); ok; name, value, ok = fields.Next() {
		for i, field := range []string{"Server", "X-Powered-By"} {
			if bytes.EqualFold(name, []byte(field)) && names[i] == "" {
				names[i] = string(value)
			}
		}
	}
	w.says = wire.Printable(strings.Trim(strings.Join(names[:], ", "), ", "), maxSaid)
}
