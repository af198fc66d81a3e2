// Package msggen decides who gets a message, when, and how large, and hands
// the messages to a [Sender]: the article's msggen.erl, many of them in one
// goroutine. An [HTTPSender] posts them to a comet server, a [PublishSender] to
// any other, and natsrouter's Sender publishes them on NATS.
//
// The load is open: what is due is due, whatever the server does. A message
// that is sent late carries the moment at which it was due, so that the delay
// counts as latency; one that cannot be sent because the server is unreachable
// counts as refused and is never shifted. Every message carries a stamp
// ([wire.Stamp]) with whose message it is and its number among those, by which
// its receiver finds what is missing, duplicated, reordered or late. Without a pace ([Config.Max]) nothing is due: the stamp then
// holds the moment at which the message's bytes are handed to the socket, so that
// the queue in the generator is no part of the server's time. An [HTTPSender] and
// a [PublishSender] set it just then; for any other Sender it is the moment of
// Send.
//
// Lateness is over all messages that were due. One that was written is late by
// the time from due to written; one that never was, by the time from due until it
// was given up ([Stats.Late]). At the end of a run each message that was due is
// sent, refused, unknown or unanswered, and Run fails if these do not add up. What
// a server claims to have accepted is held against what it was given.
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
