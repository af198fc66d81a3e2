// Command centrifuge is a server of the library that Centrifugo is made of, for
// comet's system tests: centrifuge ADDRESS. Messages come in as Centrifugo's
// /api/publish takes them. A client that says its id when it connects needs the
// token of it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/centrifugal/centrifuge"
)

func main() {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(func(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		reply := centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}
		if e.Name != "" && e.Token != "token-"+e.Name {
			return reply, centrifuge.DisconnectInvalidToken
		}
		return reply, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(e centrifuge.SubscribeEvent, answer centrifuge.SubscribeCallback) {
			if e.Channel == "secret" {
				answer(centrifuge.SubscribeReply{}, centrifuge.ErrorPermissionDenied)
				return
			}
			answer(centrifuge.SubscribeReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}

	var sent atomic.Int64
	mux := http.NewServeMux()
	mux.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		PingPongConfig: centrifuge.PingPongConfig{PingInterval: 2 * time.Second, PongTimeout: time.Second},
		Compression:    true,
	}))
	mux.HandleFunc("POST /api/publish", func(w http.ResponseWriter, r *http.Request) {
		var command struct {
			Channel string
			Data    json.RawMessage
		}
		if err := json.NewDecoder(r.Body).Decode(&command); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		n := node.Hub().NumSubscribers(command.Channel)
		if _, err := node.Publish(command.Channel, command.Data); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		sent.Add(int64(n))
		fmt.Fprintln(w, `{"result":{}}`)
	})
	mux.HandleFunc("GET /count", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]int64{"connected": int64(node.Hub().NumSubscriptions()), "sent": sent.Load()})
	})
	ln, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening")
	log.Fatal(http.Serve(ln, mux))
}
