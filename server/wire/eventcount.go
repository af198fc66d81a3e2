package wire

// EventCounter counts server-sent events, however their bytes are cut (HTML Living
// Standard, section 9.2.6): an event is a group of lines with data in it, and ends
// with an empty line. It holds no bytes. The zero value is ready.
type EventCounter uint8

const (
	inLine   EventCounter = 1 << iota // something of the present line has come
	hasData                           // a data field of the present event has come
	afterCR                           // a line feed now belongs to the carriage return before it
	notData                           // the present line is no data field
	nameMask EventCounter = 7 << 5    // how much of "data" has come
	nameUnit EventCounter = 1 << 5
)

// Count takes the next bytes and returns how many events end in them.
func (e *EventCounter) Count(b []byte) (n int) {
	const name = "data"
	s := *e
	for _, c := range b {
		switch {
		case c == '\n' && s&afterCR != 0:
			s &^= afterCR
			continue
		case c == '\r' || c == '\n':
			if s&inLine != 0 && s&notData == 0 && s&nameMask == nameUnit*EventCounter(len(name)) { // a field without a colon
				s |= hasData
			}
			if s&inLine == 0 {
				if s&hasData != 0 {
					n++
				}
				s &^= hasData
			}
			s &^= inLine | notData | nameMask | afterCR
			if c == '\r' {
				s |= afterCR
			}
			continue
		}
		s = s&^afterCR | inLine
		if s&notData != 0 {
			continue
		}
		at := int(s & nameMask / nameUnit)
		switch {
		case at == len(name) && c == ':':
			s |= hasData | notData // the rest of the line does not matter
		case at < len(name) && c == name[at]:
			s += nameUnit
		default:
			s |= notData
		}
	}
	*e = s
	return n
}
