// A Socket.IO server (https://socket.io). A client is in the room of the id in
// its URL. Who does not answer a ping within a second is cut off.
import { Server } from 'socket.io';
import { counts, lets, listen, serve } from './common.mjs';

const server = serve((id, text) => {
  io.to(id).emit('message', text);
  return io.sockets.adapter.rooms.get(id)?.size ?? 0;
});
const io = new Server(server, { pingInterval: 1000, pingTimeout: 5000 });
io.use((socket, next) => {
  const { id, login } = socket.handshake.query;
  next(login && !lets(id, socket.handshake.auth.token) ? new Error('who are you?') : undefined);
});
io.on('connection', (socket) => {
  counts.connected++;
  socket.join(socket.handshake.query.id);
  socket.on('join', (room, ack) => ack(socket.join(room)));
  socket.conn.on('packet', (packet) => packet.type === 'pong' && counts.pongs++);
  socket.on('disconnect', () => counts.connected--);
});
listen(server);
