// A GraphQL server with subscriptions (https://the-guild.dev/graphql/ws). Who
// names an id when it connects needs its token.
import { buildSchema } from 'graphql';
import { useServer } from 'graphql-ws/lib/use/ws';
import { WebSocketServer } from 'ws';
import { counts, lets, listen, serve } from './common.mjs';

const rooms = new Map();

/** Yields the messages of a room until the client leaves. */
function messages({ room }) {
  const queue = [];
  let wake;
  const put = (text) => {
    queue.push(text);
    wake?.();
  };
  if (!rooms.has(room)) rooms.set(room, new Set());
  rooms.get(room).add(put);
  counts.connected++;
  let left = false;
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      while (queue.length === 0 && !left) await new Promise((resolve) => (wake = resolve));
      return left ? { done: true } : { done: false, value: { messages: queue.shift() } };
    },
    async return() {
      left = rooms.get(room).delete(put);
      counts.connected--;
      wake?.();
      return { done: true };
    },
  };
}

const server = serve((id, text) => {
  const room = rooms.get(id) ?? new Set();
  for (const put of room) put(text);
  return room.size;
});
useServer(
  {
    schema: buildSchema('type Query { none: Int } type Subscription { messages(room: ID!): String! }'),
    roots: { subscription: { messages } },
    onConnect: ({ connectionParams }) => !connectionParams?.id || lets(connectionParams.id, connectionParams.token),
  },
  new WebSocketServer({ server, path: '/graphql' }),
  1000, // keep-alive pings
);
listen(server);
