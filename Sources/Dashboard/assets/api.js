// Calls of /api/v1: the dashboard is a client like any other.

import { language, t } from "./words.js";

const patience = 15000;

/** What the server answered instead of what was asked for, in words for people; `status` is 0 when there was no answer. */
export class Refusal extends Error {
  constructor(status, message, code, retryAfter = null) {
    super(message);
    this.status = status;
    this.code = code;
    /** In how many seconds the same may be asked again; null where that was not said. */
    this.retryAfter = retryAfter;
  }

  /** Whoever asked is signed in no more. A password that is wrong is something else. */
  get isSignedOut() {
    return this.status === 401 && this.code === "unauthenticated";
  }

  /** Nobody answered; a 503 is an answer, and shown to whoever asked. */
  get isTemporary() {
    return this.status === 0 || this.status === 502 || this.status === 504;
  }
}

/** Told `true` when the server answers and `false` when it does not. */
let tellReachable = () => {};
export function onReachability(listener) {
  tellReachable = listener;
}

/** Told of refusals that are about who asks: whoever that is is signed in no more, or may not do it. */
let tellDenied = () => {};
export function onDenied(listener) {
  tellDenied = listener;
}

/** Where one signs in, and comes back from to the present address. */
export function signInAddress() {
  return `/sign-in${query({ to: location.pathname + location.search })}`;
}

/** The decoded answer with its headers. Throws a `Refusal`. */
export async function call(method, path, { body, version, signal } = {}) {
  const headers = { Accept: "application/json", "Accept-Language": language() };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  const limit = AbortSignal.timeout(patience);
  let answer;
  let decoded;
  try {
    answer = await fetch(`/api/v1${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      cache: "no-store",
    });
    const text = await answer.text();
    try {
      decoded = text === "" ? null : JSON.parse(text);
    } catch {
      decoded = null;
    }
  } catch (error) {
    if (signal?.aborted) throw error;
    tellReachable(false);
    throw new Refusal(0, t("unreachable"));
  }
  const refusal = answer.ok ? null : refusalOf(answer, decoded);
  tellReachable(!refusal?.isTemporary);
  if (refusal?.isSignedOut || refusal?.code === "forbidden") tellDenied(refusal);
  if (refusal) throw refusal;
  return { value: decoded, headers: answer.headers };
}

/** The server speaks to programs, too; what concerns who is signed in is said in words for people. */
function refusalOf(answer, decoded) {
  const ownWords = { unauthenticated: "signedOut", forbidden: "forbidden" }[decoded?.code];
  return new Refusal(answer.status, ownWords ? t(ownWords) : words(decoded?.detail, answer.status), decoded?.code,
    Number(answer.headers.get("Retry-After")) || null);
}

function words(detail, status) {
  if (typeof detail === "string") return detail;
  // FastAPI's list of faults: where, and what is wrong.
  if (Array.isArray(detail)) return detail.map((fault) => `${fault.loc.slice(1).join(".")}: ${fault.msg}`).join("; ");
  return t("answeredWith", { status });
}

export async function get(path, options) {
  return (await call("GET", path, options)).value;
}

export async function send(method, path, body, options) {
  return (await call(method, path, { body, ...options })).value;
}

/** A page of a list, and the path of the one that follows, or null. */
export async function page(path, options) {
  const { value, headers } = await call("GET", path, options);
  const next = /<\/api\/v1([^>]*)>; *rel="next"/.exec(headers.get("Link") ?? "");
  return { items: value, next: next ? next[1] : null };
}

/** All pages of a list that is known to be short: operators, sources. */
export async function all(path, options) {
  const items = [];
  for (let at = path; at; ) {
    const found = await page(at, options);
    items.push(...found.items);
    at = found.next;
  }
  return items;
}

/** A query string of what is neither empty nor null. */
export function query(parameters) {
  const pairs = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`;
}
