// Who and what contacts and events refer to: operators, sources, people. Known to all pages.

import { all } from "./api.js";
import { onEvent } from "./live.js";
import { may } from "./viewer.js";
import { t } from "./words.js";

const known = { operators: null, sources: null, people: null };
const paths = { operators: "/operators?limit=1000", sources: "/sources?limit=1000", people: "/people?limit=1000" };

function list(kind, { fresh = false } = {}) {
  if (fresh || !known[kind]) {
    const asked = all(paths[kind]);
    known[kind] = asked;
    asked.catch(() => {
      if (known[kind] === asked) known[kind] = null;
    });
  }
  return known[kind];
}

/** All operators but the archived ones. With `fresh`, as they are now: loads change all the time. */
export function operators(options) {
  return list("operators", options);
}

export function sources(options) {
  return list("sources", options);
}

/** All who sign in, for whoever may know that. */
export function people(options) {
  return list("people", options);
}

export function forget() {
  known.operators = known.sources = known.people = null;
}

onEvent((event) => {
  if (event.kind.startsWith("operator_")) known.operators = null;
  if (event.kind.startsWith("source_")) known.sources = null;
});

/** Operators that are in no list: archived. */
const unlisted = new Set();

/** The operator's name as far as it is known. */
export async function nameOf(id) {
  const find = (listed) => listed.find((one) => one.id === id);
  let found = find(await operators());
  if (!found && !unlisted.has(id)) {
    found = find(await operators({ fresh: true }));
    if (!found) unlisted.add(id);
  }
  return found?.name ?? t("operatorN", { id });
}

export async function sourceName(id) {
  const found = may("sources") ? (await sources()).find((one) => one.id === id) : undefined;
  return found?.name ?? t("sourceN", { id });
}

export async function personName(id) {
  const found = may("people") ? (await people()).find((one) => one.id === id) : undefined;
  return found?.name ?? t("who_person", { id });
}
