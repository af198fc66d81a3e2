// A server of ws (https://github.com/websockets/ws): /sub/ID is open to all,
// /private/ID to who brings its token. It pings each second, and offers
// compression.
import { WebSocketServer } from 'ws';
import { counts, lets, listen, serve } from './common.mjs';

const rooms = new Map();
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: true });
const server = serve((id, text) => {
  const room = rooms.get(id) ?? new Set();
  for (const socket of room) socket.send(text);
  return room.size;
});

server.on('upgrade', (request, socket, head) => {
  const [, kind, id] = request.url.match(/^\/(sub|private)\/(.+)$/) ?? [];
  const token = (request.headers.authorization ?? '').replace('Bearer ', '');
  if (kind === 'private' && !lets(id, token)) {
    socket.end('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm="ws"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    return;
  }
  sockets.handleUpgrade(request, socket, head, (client) => {
    counts.connected++;
    if (!rooms.has(id)) rooms.set(id, new Set());
    rooms.get(id).add(client);
    client.on('pong', () => counts.pongs++);
    client.on('close', () => {
      counts.connected--;
      rooms.get(id).delete(client);
    });
  });
});
setInterval(() => sockets.clients.forEach((client) => client.ping()), 1000);
listen(server);
