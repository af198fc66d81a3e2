'use strict';
// The page of a run: it reads /events, which begins with all that was seen so far.

const roles = () => [...new Set(moments.flatMap(m => Object.keys(m.cpu || {})))].sort();
const lateness = key => ['p50', 'p99', 'max'].map(q => [q, m => m[key][q]]);
const cards = [
  {
    id: 'conns', title: 'Connections', short: 'Connections', write: whole,
    lines: () => [['open', m => m.connected]],
    notes: m => [[m.closed, whole, 'closed'], [m.failed, whole, 'failed'], [m.connected_per_second, number, 'opened per second']],
  }, {
    id: 'rate', title: 'Messages per second', short: 'Messages/s', write: number,
    lines: () => [['delivered', m => m.delivered_per_second], ['sent', m => m.sent_per_second]],
    notes: m => [[m.delivered, whole, 'delivered so far'], [m.sent, whole, 'sent so far'], [m.refused, whole, 'refused']],
  }, {
    id: 'latency', title: 'Latency', short: 'Latency', write: millis, log: true, lines: () => lateness('latency_ms'),
    big: m => 'p99 ' + text(m.latency_ms.p99, millis),
    quantiles: m => [['now', m.latency_ms], ['over the run', soFar]],
  }, {
    id: 'lateness', title: 'Lateness of messages that were sent', short: 'Lateness', write: millis, log: true, lines: () => lateness('late_ms'),
    big: m => 'p99 ' + text(m.late_ms.p99, millis),
    quantiles: m => [['now', m.late_ms]],
  }, {
    id: 'mem', title: 'Memory of the servers', short: 'Memory', write: bytes, binary: true,
    lines: () => [['resident', m => m.memory_bytes]],
    notes: m => [[m.machine_bytes, bytes, 'in use on the machine']],
  }, {
    id: 'cpu', title: 'Processors in use', short: 'Processors', write: number,
    lines: () => roles().map(role => [role, m => (m.cpu || {})[role]]),
    big: m => text(roles().map(role => (m.cpu || {})[role]).filter(known).reduce((a, b) => (a || 0) + b, null), number),
    notes: m => roles().map(role => [(m.cpu || {})[role], number, role]),
  }, {
    id: 'attempts', title: 'Attempts to reconnect, per second', short: 'Attempts/s', write: number, rare: true,
    lines: () => [['attempts', m => m.attempts_per_second]],
    notes: m => [[m.attempts, whole, 'so far']],
  },
];

let soFar = {}, ended = null, title = 'comet', heard = 0;

// say tells how the run stands; a screen reader reads it when it changes.
function say(kind, sentence) {
  if ($('state').textContent !== sentence) $('state').textContent = sentence;
  $('state').className = kind;
  document.title = (kind ? kind + ': ' : '') + title;
}

function tick() {
  const m = moments[moments.length - 1];
  if (!m) return;
  const silent = Math.floor((performance.now() - heard) / 1000);
  $('clock').textContent = clock(m.seconds) + ' since it began' + (ended === null && silent >= 3 ? '; these figures are ' + silent + ' s old' : '');
}

function stand() {
  const m = moments[moments.length - 1];
  if (ended !== null) say('ended', ('The run has ended. ' + ended).trim());
  else say('', m ? 'Running: ' + m.phase : 'The run has not said anything yet.');
}

function take(e) {
  heard = performance.now();
  if (e.type === 'history') {
    ({moments, phases, title} = e);
    soFar = e.so_far_ms;
    ended = null;
    $('title').textContent = title;
  } else if (e.type === 'moment') {
    const last = moments[moments.length - 1];
    if (!last || last.phase !== e.moment.phase) phases.push({name: e.moment.phase, from: last ? last.seconds : e.moment.seconds});
    moments.push(e.moment);
    soFar = e.so_far_ms;
  } else if (e.type === 'end') {
    ended = e.verdict;
  }
  stand();
  tick();
  if (!document.hidden) requestAnimationFrame(show);
  return moments.length > 4000; // load the history again, in which old moments are fewer
}

// read follows the run until the connection ends, and returns what is to be said of that.
async function read() {
  const stop = new AbortController();
  let alive = performance.now();
  const watch = setInterval(() => performance.now() - alive > 20000 && stop.abort(), 1000); // the server beats every 5 s
  try {
    const answer = await fetch('/events', {cache: 'no-store', signal: stop.signal});
    if (answer.status === 503) return 'Too many are watching this run, or it is ending; trying again.';
    if (!answer.ok) return 'The run refuses to be watched (HTTP ' + answer.status + '); trying again.';
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ''; ;) {
      const {value, done} = await reader.read();
      if (done) break;
      alive = performance.now();
      const events = (rest + value).split('\n\n');
      rest = events.pop();
      for (const e of events) {
        if (e.startsWith('data: ') && take(JSON.parse(e.slice(6)))) {
          stop.abort();
          return '';
        }
      }
    }
  } catch { // the connection is lost
  } finally {
    clearInterval(watch);
  }
  return 'The connection to the run is lost: it was ended without a word, or the way to it is. Trying again.';
}

async function follow() {
  for (;;) {
    const problem = await read();
    if (ended !== null) return; // all is said
    if (problem) {
      say('lost', problem);
      await new Promise(after => setTimeout(after, 2000));
    }
  }
}

build();
setInterval(tick, 1000);
follow();
