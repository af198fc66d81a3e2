'use strict';
// The page of a server: it asks /stats each second, and draws the last ten minutes.

const kept = 600; // seconds
const sum = (m, keys) => keys.some(key => !known(m[key])) ? null : keys.reduce((n, key) => n + m[key], 0);
const dropped = ['dropped_closed', 'dropped_slow', 'dropped_overrun'];
const refused = ['refused_full', 'refused_address', 'refused_away', 'refused_unauthorized', 'refused_forbidden', 'refused_other'];
const cards = [
  {
    id: 'conns', title: 'Connections', short: 'Connections', write: whole, lines: () => [['open', m => m.connections]],
    notes: m => [[m.max_connections > 1e15 ? null : m.max_connections, whole, 'at most'], [m.logins, whole, 'logins'], [m.accepted, number, 'accepted per second']],
  }, {
    id: 'rate', title: 'Messages per second', short: 'Messages/s', write: number, lines: () => [['written', m => m.written], ['accepted', m => m.sent]],
    notes: m => [[m.unaddressed, number, 'to nobody'], [m.dropped, number, 'dropped']],
  }, {
    id: 'mem', title: 'Resident memory', short: 'Memory', write: bytes, binary: true, lines: () => [['resident', m => m.rss_bytes]],
  }, {
    id: 'cpu', title: 'Processors in use', short: 'Processors', write: number, lines: () => [['in use', m => m.cpu]],
  }, {
    id: 'wait', title: 'Wait for full sockets, on average', short: 'Wait', write: millis, lines: () => [['wait', m => m.wait_ms]],
    notes: m => [[m.backlog_bytes, bytes, 'wait'], [m.disconnected, whole, 'clients cut off for not reading']],
  }, {
    id: 'queue', title: 'Waiting to be accepted', short: 'To accept', write: whole, lines: () => [['connections', m => m.accept_queue]],
    notes: m => [[m.accept_queue_max, whole, 'at most'], [m.accept_pauses, whole, 'pauses without files']],
  }, {
    id: 'refused', title: 'Refused per second', short: 'Refused/s', write: number,
    lines: () => [['over a limit', m => sum(m, ['refused_full', 'refused_address'])], ['token', m => sum(m, ['refused_unauthorized', 'refused_forbidden'])], ['router unreachable', m => m.refused_away], ['other', m => m.refused_other]],
    big: m => text(sum(m, refused), number),
    notes: m => [[m.refused, whole, 'so far']],
  },
];

let last = null; // the figures that were read last, and when

function say(bad, sentence) {
  if ($('state').textContent !== sentence) $('state').textContent = sentence;
  $('state').className = bad ? 'lost' : '';
}

// follow takes what /stats answers.
function follow(s) {
  const t = performance.now() / 1000;
  if (last && last.pid !== s.pid) { // another server
    moments = [];
    last = null;
  }
  const per = key => last && t > last.t ? (s[key] - last[key]) / (t - last.t) : null;
  const m = {seconds: t, backlog_bytes: s.backlog_bytes};
  for (const key of ['connections', 'max_connections', 'logins', 'rss_bytes', 'accept_queue', 'accept_queue_max', 'accept_pauses', 'disconnected']) m[key] = s[key];
  for (const key of ['accepted', 'sent', 'written', 'unaddressed', ...refused]) m[key] = per(key);
  m.dropped = last && (sum(s, dropped) - sum(last, dropped)) / (t - last.t);
  m.refused = sum(s, refused);
  m.cpu = s.cpu_seconds === null ? null : per('cpu_seconds');
  const written = per('bytes_written');
  m.wait_ms = written ? 1000 * s.backlog_bytes / written : null; // Little's law
  last = {...s, t};
  moments.push(m);
  while (moments[0].seconds < t - kept) moments.shift();
  say(s.draining, s.draining ? 'The server drains: it takes no more connections.' : 'Running');
  const up = Math.floor(s.uptime_seconds), d = Math.floor(up / 86400);
  $('about').textContent = 'engine ' + s.engine + (s.loops ? ', ' + s.loops + ' loops' : '') + ', process ' + s.pid + ', up ' + (d ? d + ' d ' : '') + clock(up % 86400);
  $('stats').replaceChildren(...figures(s, ''));
  router(s.router);
  if (!document.hidden) requestAnimationFrame(show);
}

// figures returns a row for each figure of an object.
function figures(o, prefix) {
  return Object.entries(o).flatMap(([key, v]) => {
    if (v && typeof v === 'object') return figures(v, prefix + key + '.');
    return [cells([prefix + key, Number.isInteger(v) && key !== 'pid' ? whole(v) : v === null ? 'unknown' : String(v)])];
  });
}

// cells returns a row of a table.
function cells(texts) {
  const tr = document.createElement('tr');
  texts.forEach((text, i) => make(i ? 'td' : 'th', tr, i ? {text} : {text, scope: 'row'}));
  return tr;
}

// router says how this server stands with the router, if there is one.
function router(r) {
  const joined = !!r;
  if (joined && $('nodes').hidden) askNodes();
  $('nodes').hidden = !joined;
  if (joined) $('router').textContent = 'This one is ' + r.name + ': ' + (r.connected ? 'connected to ' + r.url + (r.ready ? '' : ', and not ready yet') : 'the router is unreachable') + '; ' +
    whole(r.received) + ' messages received, ' + whole(r.published) + ' published.';
}

// askNodes asks all servers of the router what they hold, every few seconds.
async function askNodes() {
  for (;;) {
    if (!document.hidden) {
      try {
        const answer = await fetch('/nodes', {cache: 'no-store', signal: AbortSignal.timeout(10000)});
        const {nodes, error} = await answer.json();
        if (error) throw new Error(error);
        $('nodeRows').replaceChildren(...nodes.sort((a, b) => a.name < b.name ? -1 : 1).map(n => cells([
          n.name, whole(n.connections), whole(n.logins), whole(n.routed), whole(sum(n, dropped)), n.ready ? 'ready' : 'not ready'])));
      } catch (problem) {
        $('nodeRows').replaceChildren(cells(['The servers cannot be asked: ' + problem.message]));
      }
    }
    await new Promise(after => setTimeout(after, 5000));
    if ($('nodes').hidden) return;
  }
}

async function send(event) {
  event.preventDefault();
  $('answer').textContent = 'Sending.';
  const begun = performance.now();
  try {
    const answer = await fetch('/send/' + encodeURIComponent($('to').value), {method: 'POST', body: $('message').value, headers: {'Content-Type': 'text/plain'}});
    const {reached, error} = await answer.json();
    const took = millis(performance.now() - begun);
    if (error) $('answer').textContent = 'It was not sent: ' + error;
    else $('answer').textContent = 'Sent, to ' + (reached === 1 ? '1 connection' : whole(reached) + ' connections') + '; the answer took ' + took + '.';
  } catch (problem) {
    $('answer').textContent = 'It was not sent: ' + problem.message;
  }
}

async function poll() {
  for (;;) {
    try {
      const answer = await fetch('/stats', {cache: 'no-store', signal: AbortSignal.timeout(5000)});
      if (!answer.ok) throw new Error('HTTP ' + answer.status);
      follow(await answer.json());
    } catch (problem) {
      last = null; // a rate over the gap would be none
      say(true, 'The server does not answer (' + problem.message + '); still trying.');
    }
    await new Promise(after => setTimeout(after, 1000));
  }
}

build();
$('form').addEventListener('submit', send);
poll();
