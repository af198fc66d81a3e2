// The floor: the least that a push server costs on this kernel, to measure comet
// against (make floor). One thread, one epoll loop, no escaping, no limits, no
// patience: a stream that cannot take a chunk whole is closed.
//
//	floor ADDRESS STREAM-PORT PUBLISH-PORT
//
// GET /test/{id} on the first port is a stream. POST /send/{id} on the second,
// with a Content-Length, sends its body as one chunk to each stream of the id.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { FDS = 1 << 17, IDS = 1 << 20, ROOM = 1 << 17, EVENTS = 512 };
enum role { FREE, STREAM_PORT, PUBLISH_PORT, ASKING, STREAM, PUBLISHER };

static struct conn {
	enum role role;
	unsigned id, at;       // where it is in streams
	unsigned long n;       // messages sent
	char *held;            // the begin of a request whose rest is to come
	size_t have;
} conns[FDS];
static struct { int *fds; unsigned n, room; } streams[IDS];
static char in[ROOM + 1], chunk[ROOM + 128], answers[ROOM];
static int loop;

static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
	"Cache-Control: no-store\r\nTransfer-Encoding: chunked\r\nServer: floor\r\n\r\n";

static void die(const char *what) { perror(what); exit(1); }

static void watch(int fd, enum role role) {
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
	if (fd >= FDS || epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e)) die("epoll_ctl");
	conns[fd] = (struct conn){.role = role};
}

static void end(int fd) {
	struct conn *c = &conns[fd];
	if (c->role == STREAM) { // the last one takes its place
		int last = streams[c->id].fds[--streams[c->id].n];
		streams[c->id].fds[c->at] = last;
		conns[last].at = c->at;
	}
	free(c->held);
	*c = (struct conn){0};
	close(fd);
}

static int put(int fd, const char *bytes, size_t n) {
	ssize_t sent;
	do sent = send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL); while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)n;
}

static unsigned publish(unsigned id, const char *message, size_t n) {
	unsigned long framed = 0;
	size_t size = 0;
	unsigned reached = 0;
	for (unsigned i = 0; i < streams[id].n;) {
		int fd = streams[id].fds[i];
		if (++conns[fd].n != framed) { // usually all are at the same number
			char begin[48];
			int b = sprintf(begin, "Recvd msg #%lu: '", framed = conns[fd].n);
			size = sprintf(chunk, "%zx\r\n%s", b + n + 6, begin);
			memcpy(chunk + size, message, n);
			memcpy(chunk + size + n, "'<br/>\r\n", 8);
			size += n + 8;
		}
		if (put(fd, chunk, size)) i++, reached++;
		else end(fd);
	}
	return reached;
}

static int begin_stream(int fd, char *request) {
	struct conn *c = &conns[fd];
	if (sscanf(request, "GET /test/%u ", &c->id) != 1 || c->id >= IDS || !put(fd, head, sizeof head - 1)) return 0;
	if (streams[c->id].n == streams[c->id].room) {
		streams[c->id].room = streams[c->id].room * 2 + 1;
		streams[c->id].fds = realloc(streams[c->id].fds, streams[c->id].room * sizeof(int));
		if (!streams[c->id].fds) die("realloc");
	}
	c->at = streams[c->id].n++;
	streams[c->id].fds[c->at] = fd;
	c->role = STREAM;
	return 1;
}

// requests does what is whole of the n bytes at text, with one write for all the
// answers, and returns how much that was, or -1.
static ssize_t requests(int fd, char *text, size_t n) {
	char *p = text, *stop = text + n, *body;
	size_t out = 0;
	while ((body = memmem(p, stop - p, "\r\n\r\n", 4))) {
		unsigned id;
		size_t size;
		body[2] = 0; // ends the head for the searches
		char *length = strcasestr(p, "\r\nContent-Length:");
		if (sscanf(p, "POST /send/%u ", &id) != 1 || id >= IDS || !length) return -1;
		size = strtoul(length + 17, 0, 10);
		body[2] = '\r';
		body += 4;
		if (size > ROOM / 2) return -1;
		if ((size_t)(stop - body) < size) break;
		char json[32];
		int j = sprintf(json, "{\"reached\":%u}\n", publish(id, body, size));
		out += sprintf(answers + out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", j, json);
		p = body + size;
		if (out > sizeof answers - 256) {
			if (!put(fd, answers, out)) return -1;
			out = 0;
		}
	}
	return out == 0 || put(fd, answers, out) ? p - text : -1;
}

static void readable(int fd) {
	struct conn *c = &conns[fd];
	size_t have = c->have;
	if (have) memcpy(in, c->held, have);
	ssize_t n = recv(fd, in + have, ROOM - have, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
	if (n <= 0) { end(fd); return; }
	if (c->role == STREAM) return; // what a stream's client says is dropped
	have += n;
	in[have] = 0;
	ssize_t used = 0;
	if (c->role == PUBLISHER) used = requests(fd, in, have);
	else if (memmem(in, have, "\r\n\r\n", 4)) used = begin_stream(fd, in) ? (ssize_t)have : -1;
	if (used < 0 || have - used == ROOM) { end(fd); return; }
	free(c->held);
	c->held = 0;
	if ((c->have = have - used)) {
		if (!(c->held = malloc(c->have))) die("malloc");
		memcpy(c->held, in + used, c->have);
	}
}

static void accept_all(int fd) {
	int one;
	while ((one = accept4(fd, 0, 0, SOCK_NONBLOCK)) >= 0) watch(one, conns[fd].role == STREAM_PORT ? ASKING : PUBLISHER);
	if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) die("accept4");
}

static void listen_on(const char *address, const char *port, enum role role) {
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
	int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (inet_pton(AF_INET, address, &at.sin_addr) != 1) die("address");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); // accepted sockets inherit it
	if (bind(fd, (void *)&at, sizeof at) || listen(fd, 4096)) die(port);
	watch(fd, role);
}

int main(int argc, char **argv) {
	struct epoll_event events[EVENTS];
	if (argc != 4) { fprintf(stderr, "usage: floor ADDRESS STREAM-PORT PUBLISH-PORT\n"); return 2; }
	if ((loop = epoll_create1(0)) < 0) die("epoll_create1");
	listen_on(argv[1], argv[2], STREAM_PORT);
	listen_on(argv[1], argv[3], PUBLISH_PORT);
	puts("listening"), fflush(stdout);
	for (;;) {
		int n = epoll_wait(loop, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (conns[fd].role == STREAM_PORT || conns[fd].role == PUBLISH_PORT) accept_all(fd);
			else if (conns[fd].role != FREE) readable(fd); // it may have ended in this round
		}
	}
}
