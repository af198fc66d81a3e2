package wire

// targetCases are targets as clients and proxies write them.
func targetCases() []headCase {
	return []headCase{
		stream("percent-encoded digit", get("/test/%31"), HTML, html11, 1),
		stream("percent-encoded comma", get("/events/1%2C2"), Events, sse11, 1, 2),
		stream("percent-encoded comma, lower case", get("/events/1%2c2"), Events, sse11, 1, 2),
		stream("all percent-encoded", get("/poll/%31%32%2C%33"), Poll, "", 12, 3),
		stream("an id twice, once encoded", get("/test/1,%31"), HTML, html11, 1),
		stream("percent-encoded letters of the path", get("/%74es%74/1"), HTML, html11, 1),
		stream("percent-encoded query", get("/test/1?%zz"), HTML, html11, 1),
		stream("two question marks", get("/test/1??"), HTML, html11, 1),
		stream("absolute form of https", get("https://example.com/test/1"), HTML, html11, 1),
		stream("absolute form, encoded", get("http://h/test/1%2C2?x=1"), HTML, html11, 1, 2),

		refused("percent and no digits", get("/test/1%zz"), BadID),
		refused("percent and one digit", get("/test/1%2"), BadID),
		refused("percent at the end", get("/test/1%"), BadID),
		refused("only a percent", get("/test/%"), BadID),
		refused("two percents", get("/test/%%31"), BadID),
		refused("encoded twice", get("/test/%2531"), BadID),
		refused("encoded slash in the id", get("/test/1%2F2"), BadID),
		refused("encoded minus", get("/test/%2D1"), BadID),
		refused("encoded plus", get("/test/%2B1"), BadID),
		refused("encoded blank", get("/test/%201"), BadID),
		refused("plus for a blank", get("/test/1+2"), BadID),
		refused("encoded NUL", get("/test/1%00"), BadID),
		refused("encoded question mark", get("/test/1%3Fx"), BadID),
		refused("encoded digits of another script", get("/test/%D9%A1"), BadID),
		refused("semicolon", get("/test/1;2"), BadID),
		refused("a fragment", get("/test/1#x"), BadID),
		refused("a slash at the end", get("/test/1/"), BadID),
		refused("two slashes before the id", get("/test//1"), BadID),

		refused("two slashes first", get("//test/1"), NotFound),
		refused("encoded slash for a slash", get("/test%2F1"), NotFound),
		refused("malformed first segment", get("/te%st/1"), NotFound),
		refused("dot segments", get("/x/../test/1"), NotFound),
		refused("a path that does not begin with a slash", get("test/1"), NotFound),
	}
}
