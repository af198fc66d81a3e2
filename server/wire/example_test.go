package wire_test

import (
	"fmt"

	"example.org/comet/server/wire"
)

// A server reads a head, answers, and frames messages; a client takes the
// answer apart, in whatever pieces it comes.
func Example() {
	req, ok := new(wire.Parser).Parse([]byte("GET /test/123 HTTP/1.1\r\nHost: localhost\r\n\r\n"), 0, nil)
	fmt.Println("complete:", ok, "ids:", req.IDs)
	stream := append([]byte(nil), req.Answer...)
	stream = req.Kind.AppendMessage(stream, 1, []byte("Hello World"))
	stream = req.Kind.AppendEnd(stream)

	var p wire.ResponseParser
	for {
		part, payload, n := p.Next(stream)
		stream = stream[n:]
		switch part {
		case wire.Head:
			fmt.Println("status:", p.Status())
		case wire.Chunk:
			fmt.Printf("chunk: %s\n", payload)
		case wire.End:
			fmt.Println("end")
			return
		default:
			fmt.Println("unexpected part", part)
			return
		}
	}
	// Output:
	// complete: true ids: [123]
	// status: 200
	// chunk: Recvd msg #1: 'Hello World'<br/>
	// end
}

// A client finds the stamps in a body that comes in pieces: it keeps what may be
// the beginning of one for the next piece.
func ExampleFindStamp() {
	message := wire.AppendStamped([]byte("data: "), 1, wire.Stamp{Run: 0xbadcafe, Sequence: wire.SequenceOf("123"), N: 7, Due: 1700000000000000000})
	var kept []byte
	for _, piece := range [][]byte{message[:30], message[30:50], append(message[50:], "\n\n"...)} {
		kept = append(kept, piece...)
		for {
			s, rest, ok := wire.FindStamp(kept)
			kept = rest
			if !ok {
				break
			}
			fmt.Printf("run %v, message %d of %d\n", s.Run, s.N, s.Sequence)
		}
	}
	// Output:
	// run 0badcafe, message 7 of 123
}
