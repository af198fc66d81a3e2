package cli

import (
	"bytes"
	"encoding/json"
	"io"
)

// jsonLine prints body, a struct or nil, as one line with its kind in front.
func jsonLine(w io.Writer, kind string, body any) error {
	line := []byte(`{"type":"` + kind + `"`)
	if body != nil {
		var text bytes.Buffer
		out := json.NewEncoder(&text)
		out.SetEscapeHTML(false) // people read p99<50ms in it
		if err := out.Encode(body); err != nil {
			return err
		}
		if inner := bytes.TrimSpace(text.Bytes()); len(inner) > len("{}") {
			line = append(append(line, ','), inner[1:len(inner)-1]...)
		}
	}
	_, err := w.Write(append(line, "}\n"...))
	return err
}
