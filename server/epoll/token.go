package epoll

// Token names a connection: its slot in the low half, and the generation of the
// slot in the high one. It is never 0, so that 0 can name what is no connection,
// such as a listening socket.
type Token uint64

// NewToken returns the token of a slot in its generation gen.
func NewToken(slot, gen uint32) Token { return Token(gen)<<32 | Token(slot) }

// Slot returns the slot.
func (t Token) Slot() uint32 { return uint32(t) }

// Gen returns the generation.
func (t Token) Gen() uint32 { return uint32(t >> 32) }
