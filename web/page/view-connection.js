// View of the connection: the gate in the head, its state in words, the countdown to the next attempt.

import { byId, setText } from './dom.js';

const NAMES = { connecting: 'Connecting', live: 'Live', waiting: 'Reconnecting', stopped: 'Not connected' };

export function viewConnection({ connection, announce }) {
  const head = byId('head');
  const name = byId('state-name');
  const detail = byId('state-detail');
  const button = byId('state-retry');
  let timer = 0;
  let spoken = '';

  function draw() {
    clearInterval(timer);
    head.dataset.state = connection.state;
    setText(name, NAMES[connection.state]);
    button.hidden = connection.state !== 'waiting' && connection.state !== 'stopped';
    drawDetail();
    if (connection.state === 'waiting') timer = setInterval(drawDetail, 250);
    document.title = connection.state === 'live' ? 'Headgate' : `${NAMES[connection.state]} – Headgate`;
    speak();
  }

  function drawDetail() {
    if (connection.state === 'live') {
      setText(detail, connection.session ? `session ${connection.session}` : '');
    } else if (connection.state === 'waiting') {
      const seconds = Math.max(0, Math.ceil((connection.until - Date.now()) / 1000));
      setText(detail, `${connection.reason} Next try in ${seconds} s.`);
    } else {
      setText(detail, connection.reason);
    }
  }

  // Each change is said once: not every attempt, not the countdown.
  function speak() {
    const { state, reason } = connection;
    if (state === 'connecting') return;
    const sentence = state === 'live' ? 'Connected to the gateway.' : `${reason} ${state === 'waiting' ? 'Reconnecting.' : ''}`;
    if (sentence !== spoken) announce(sentence);
    spoken = sentence;
  }

  button.addEventListener('click', () => connection.open());
  connection.changed.hear(draw);
  draw();
}
