// What the servers have in common: messages come in by POST /pub/ID, and GET
// /count tells how many connections there are and how many messages went out.
import http from 'node:http';

export const counts = { connected: 0, sent: 0, pongs: 0 };

/** Returns an HTTP server that gives each message to publish(id, text), which
 * returns to how many subscribers it went. */
export function serve(publish) {
  return http.createServer((request, response) => {
    if (request.url === '/count') {
      response.end(JSON.stringify(counts));
      return;
    }
    const [, id] = request.url.match(/^\/pub\/(.+)$/) ?? [];
    if (request.method !== 'POST' || !id) {
      response.writeHead(404).end();
      return;
    }
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (piece) => (text += piece));
    request.on('end', () => {
      counts.sent += publish(id, text);
      response.end();
    });
  });
}

/** Listens at the address of the command line, and ends with the signal. */
export function listen(server) {
  const [host, port] = process.argv[2].split(':');
  server.listen(Number(port), host, () => console.log('listening'));
  process.on('SIGTERM', () => process.exit(0));
}

/** Whether a client with this token may have the messages of id. */
export const lets = (id, token) => token === `token-${id}`;
