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
