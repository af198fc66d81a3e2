package server_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"

	"example.org/comet/server"
)

// A server on ports that the kernel chooses, a client, and a message to it.
func Example() {
	s, err := server.New(server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()

	web := &http.Client{Transport: &http.Transport{}}
	defer web.CloseIdleConnections()
	stream, err := web.Get("http://" + s.Addr().String() + "/test/123")
	if err != nil {
		fmt.Println(err)
		return
	}
	sent, err := web.Post("http://"+s.AdminAddr().String()+"/send/123", "text/plain", strings.NewReader("Hello World"))
	if err != nil {
		fmt.Println(err)
		return
	}
	sent.Body.Close()
	message, err := bufio.NewReader(stream.Body).ReadString('>')
	fmt.Println(message, err)
	stream.Body.Close()

	cancel()
	fmt.Println(<-ended)
	// Output:
	// Recvd msg #1: 'Hello World'<br/> <nil>
	// <nil>
}
