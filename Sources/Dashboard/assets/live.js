// What happens, as it happens: the log of events as a stream that any instance serves.

import { Refusal, get } from "./api.js";

const listeners = new Set();
let source = null;
let lastID = null;
let retry = null;
let pause = null;
let tellState = () => {};

// Browsers have six connections for a server (HTTP/1.1), all pages together: a page that nobody looks at gives its stream back.
const pauseAfter = 5000;

const kinds = [
  "registered", "assigned", "transferred", "released", "closed", "reopened", "priority_changed", "message_changed",
  "operator_created", "operator_changed", "operator_archived", "source_created", "source_changed", "weights_changed", "lead_changed",
  "lead_merged", "lead_erased",
];

/** Calls the listener with each event, for as long as a page is open if its scope is given. */
export function onEvent(listener, scope) {
  listeners.add(listener);
  scope?.end(() => listeners.delete(listener));
}

/** Opens the stream. The listener is told `true` each time it is open and `false` when it is lost. */
export function follow(listener) {
  tellState = listener;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(pause);
    if (document.hidden) pause = setTimeout(close, pauseAfter);
    else if (!source) open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => {
    if (event.persisted && !source) open();
  });
  if (!document.hidden) open();
}

function open() {
  clearTimeout(retry);
  source?.close();
  source = new EventSource(`/api/v1/events/stream${lastID === null ? "" : `?after=${lastID}`}`);
  source.onopen = () => tellState(true);
  source.onerror = () => {
    tellState(false);
    // The browser tries again by itself, unless it was refused: then it never does, and does not tell why.
    if (source?.readyState === EventSource.CLOSED) {
      get("/me").catch(() => {});
      retry = setTimeout(open, 2000);
    }
  };
  for (const kind of kinds) source.addEventListener(kind, take);
}

/** Gives the stream back. Whoever looks again reads everything anew instead of all that was missed. */
function close() {
  clearTimeout(retry);
  source?.close();
  source = null;
  lastID = null;
}

function take(message) {
  if (message.lastEventId !== "") lastID = message.lastEventId;
  let event;
  try {
    event = JSON.parse(message.data);
  } catch {
    return;
  }
  for (const listener of listeners) listener(event);
}

/** Calls `work` soon after it is asked for, at most once in `interval` milliseconds, and not while nobody looks. Ends with the scope. */
export function gently(work, scope, interval = 1000) {
  let timer = null;
  let last = 0;
  let isUnderWay = false;
  let isWanted = false;
  async function run() {
    timer = null;
    if (document.hidden) {
      isWanted = true;
      return;
    }
    if (scope.isOver) return;
    isUnderWay = true;
    isWanted = false;
    last = performance.now();
    try {
      await work();
    } catch (error) {
      // The banner says that nobody answers; it is asked again by the next event, or when somebody answers.
      if (!(error instanceof Refusal)) throw error;
    } finally {
      isUnderWay = false;
      if (isWanted) ask();
    }
  }
  function ask() {
    if (timer !== null || scope.isOver) return;
    if (isUnderWay) {
      isWanted = true;
      return;
    }
    timer = setTimeout(run, Math.max(60, last + interval - performance.now()));
  }
  function seen() {
    if (!document.hidden && isWanted) ask();
  }
  document.addEventListener("visibilitychange", seen);
  scope.end(() => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  });
  return ask;
}
