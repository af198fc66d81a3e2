package server

import "embed"

// pages is a web page that polls /stats, and can send a message.
//
//go:embed page
var pages embed.FS
