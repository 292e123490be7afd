// Who and what contacts refer to: operators and sources, known to all pages.

import { all } from "./api.js";
import { onEvent } from "./live.js";
import { t } from "./words.js";

const known = { operators: null, sources: null };
const paths = { operators: "/operators?limit=1000", sources: "/sources?limit=1000" };

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

export function forget() {
  known.operators = known.sources = null;
}

onEvent((event) => {
  if (event.kind === "operator_changed" || event.kind === "operator_archived") known.operators = null;
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

/** What an event says, in a sentence. */
export async function sentence(event) {
  const from = event.from_operator_id === null ? null : await nameOf(event.from_operator_id);
  const to = event.to_operator_id === null ? null : await nameOf(event.to_operator_id);
  const kind = event.kind === "registered" && to ? "registered_to"
    : event.kind === "reopened" && to ? "reopened_to"
    : event.kind === "closed" && !from ? "closed_plain"
    : event.kind;
  return t(`event_${kind}`, { from: from ?? t("nobody"), to: to ?? from ?? t("nobody") });
}
