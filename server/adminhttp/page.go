package adminhttp

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
)

//go:embed page
var common embed.FS

// policy lets a page load its own scripts and style, ask this listener, and nothing
// else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
}

// AddPage adds GET / and the files in the folder of a page: index.html, and whatever it
// loads. Beside them are common.js and common.css, of which all pages are made. A
// browser does not send a bearer token by itself, so that where there is one a page is
// refused like everything else.
func (s *Server) AddPage(files fs.FS, folder string) {
	s.addPath("/")
	s.addFiles(common, "page")
	s.addFiles(files, folder)
}

func (s *Server) addFiles(files fs.FS, folder string) {
	entries, _ := fs.ReadDir(files, folder) // embedded: it is there
	for _, entry := range entries {
		name := entry.Name()
		pattern := "GET /" + name
		if name == "index.html" {
			pattern = "GET /{$}"
		}
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			text, err := fs.ReadFile(files, path.Join(folder, name))
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			head := w.Header()
			head.Set("Content-Type", contentTypes[path.Ext(name)])
			head.Set("Content-Security-Policy", policy)
			head.Set("X-Content-Type-Options", "nosniff")
			head.Set("Referrer-Policy", "no-referrer")
			head.Set("Cache-Control", "no-store") // the next program at this address may be of another version
			_, _ = w.Write(text)                  // an error is a client that is gone
		})
	}
}
