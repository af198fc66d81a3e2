package cli

import (
	"encoding/json"
	"io"
)

// jsonLine prints body, a struct or nil, as one line with its kind in front.
func jsonLine(w io.Writer, kind string, body any) error {
	line := []byte(`{"type":"` + kind + `"`)
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		if len(text) > len("{}") {
			line = append(append(line, ','), text[1:len(text)-1]...)
		}
	}
	_, err := w.Write(append(line, "}\n"...))
	return err
}
