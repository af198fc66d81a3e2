// Package msggen decides who gets a message, when, and how large, and hands
// the messages to a [Sender]: the article's msggen.erl, many of them in one
// goroutine. An [HTTPSender] posts them to a comet server, a [PublishSender] to
// any other, and natsrouter's Sender publishes them on NATS.
//
// The load is open: what is due is due, whatever the server does. A message
// that is sent late carries the moment at which it was due, so that the delay
// counts as latency; one that cannot be sent because the server is unreachable
// counts as refused, and shifts none of the others. Every message carries a stamp
// ([wire.Stamp]) with whose message it is and its number among those, from which
// its receiver tells what is missing, duplicated, reordered or late.
//
//	generator, err := msggen.New(msggen.Config{
//		To:       "http://127.0.0.1:8001/send",
//		Senders:  100,
//		Interval: 100 * time.Millisecond, // 100 senders at 10/s: 1000/s
//		MaxID:    10_000,
//		Duration: time.Minute,
//		// Unless they are to be uniform, constant and equal:
//		Distribution: msggen.Distribution{Shape: msggen.Zipf, Exponent: 0.9},
//		Arrivals:     msggen.Arrivals{Shape: msggen.Poisson},
//		Size:         msggen.Size{Shape: msggen.Exponential, Bytes: 300},
//	})
//	if err != nil {
//		return err
//	}
//	result, err := generator.Run(ctx)
package msggen
