package wire

import (
	"bytes"

	"github.com/gobwas/ws"
)

func appendFrame(dst []byte, op ws.OpCode, payload []byte) []byte {
	var b bytes.Buffer
	// A bytes.Buffer takes every write.
	_ = ws.WriteHeader(&b, ws.Header{Fin: true, OpCode: op, Length: int64(len(payload))})
	dst = append(dst, b.Bytes()...)
	return append(dst, payload...)
}

// AppendClose appends a close frame with a status and no reason.
func AppendClose(dst []byte, status ws.StatusCode) []byte {
	return appendFrame(dst, ws.OpClose, ws.NewCloseFrameBody(status, ""))
}
