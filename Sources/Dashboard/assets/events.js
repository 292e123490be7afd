// What happened, in sentences that name who did it.

import { nameOf, personName, sourceName } from "./staff.js";
import { duration, has, number, t } from "./words.js";

/** The kinds of what is done to no contact, by what they are about. */
export const kinds = {
  leads: ["lead_changed", "lead_merged", "lead_erased"],
  operators: ["operator_created", "operator_changed", "operator_archived"],
  sources: ["source_created", "source_changed", "weights_changed"],
  people: ["person_invited", "person_changed", "person_reset", "person_signed_up"],
  keys: ["key_created", "key_rotated", "key_revoked"],
  sessions: ["session_started", "session_ended"],
};

/** Who made something happen. */
export function who({ kind, id, name }) {
  if (kind === "person") return name ?? t("who_person", { id });
  if (kind === "key") return t("who_key", { name: name ?? id });
  return has(`who_${kind}`) ? t(`who_${kind}`) : kind;
}

/** What is filled into the words of an event. */
async function subjects(event) {
  const data = event.data ?? {};
  const from = event.from_operator_id === null ? null : await nameOf(event.from_operator_id);
  const to = event.to_operator_id === null ? null : await nameOf(event.to_operator_id);
  return {
    from: from ?? t("nobody"), to: to ?? from ?? t("nobody"), hasFrom: from !== null, hasTo: to !== null,
    lead: String(data.lead_id ?? ""), other: String(data.into ?? ""), priority: String(data.to ?? ""),
    source: data.source_id === undefined ? "" : await sourceName(data.source_id),
    person: data.login ?? (data.person_id === undefined ? "" : await personName(data.person_id)),
    key: data.name ?? data.key_id ?? "",
  };
}

/** Which of the texts for the kind of an event says most of it. */
function variant(event, subject) {
  if ((event.kind === "registered" || event.kind === "reopened") && subject.hasTo) return `${event.kind}_to`;
  if (event.kind === "closed" && !subject.hasFrom) return "closed_plain";
  return event.kind;
}

/** What happened, without who did it: “Contact closed”. */
export async function deed(event) {
  const subject = await subjects(event);
  const name = `event_${variant(event, subject)}`;
  return has(name) ? t(name, subject) : event.kind.replaceAll("_", " ");
}

/**
 * The same with who did it: “Anna closed it”. What came about by itself is told without.
 */
export async function sentence(event) {
  if (event.actor.kind === "system") return deed(event);
  const subject = await subjects(event);
  const doer = who(event.actor);
  // Who had it and gives it back need not be named twice.
  const isOwn = event.kind === "released" && event.actor.name === subject.from;
  const name = isOwn ? "did_released_own" : `did_${event.kind === "closed" ? "closed" : variant(event, subject)}`;
  return capitalised(has(name) ? t(name, { ...subject, who: doer }) : `${doer}: ${await deed(event)}`);
}

function capitalised(text) {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}

const labels = {
  name: "name", role: "role", operator_id: "operator", is_disabled: "disabled", is_active: "active", max_load: "limit",
  strategy: "strategy", sticky_days: "sticky", description: "description", source_ids: "sources", rate: "rate", priority: "priority",
};

async function valueInWords(field, value) {
  if (field === "source_ids") return value === null ? t("allSources") : (await Promise.all(value.map(sourceName))).join(", ");
  if (field === "rate") return value === null ? t("noLimit") : number(value);
  if (value === null || value === undefined || value === "") return t("none");
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (field === "role") return t(`role_${value}`);
  if (field === "operator_id") return nameOf(value);
  if (field === "strategy" && has(value)) return t(value);
  if (field === "sticky_days") return value === 0 ? t("never") : t("days", { n: value });
  return typeof value === "number" ? number(value) : String(value);
}

const mostWeights = 8;

/** What became different, each as a text: “Role: operator → supervisor”. */
export async function differences(event) {
  const data = event.kind === "priority_changed" ? { priority: event.data } : event.data ?? {};
  const lines = [];
  for (const [field, named] of Object.entries(labels)) {
    const value = data[field];
    const label = capitalised(t(named));
    // What an event is about is in its sentence already.
    if (value === undefined || (field === "name" && event.kind.startsWith("key_")) || (field === "operator_id" && value === null)) continue;
    if (value === null || typeof value !== "object" || Array.isArray(value)) lines.push(`${label}: ${await valueInWords(field, value)}`);
    else if ("to" in value) lines.push(`${label}: ${await valueInWords(field, value.from)} → ${await valueInWords(field, value.to)}`);
    // Of what may tell of somebody the log has only that it is another.
    else lines.push(t("anotherX", { field: label }));
  }
  for (const one of (data.weights ?? []).slice(0, mostWeights)) {
    lines.push(`${await nameOf(one.operator_id)}: ${await valueInWords("weight", one.from)} → ${await valueInWords("weight", one.to)}`);
  }
  const more = Math.max(0, (data.weights?.length ?? 0) - mostWeights) + (data.more_weights ?? 0);
  if (more > 0) lines.push(t("more_n", { n: more }));
  if (data.fields) lines.push(data.fields.map((field) => t({ phone: "phone", email: "email", external_id: "externalID" }[field] ?? "name")).join(", "));
  if (data.grace_seconds > 0) lines.push(t("graceFor", { time: duration(data.grace_seconds) }));
  if (data.forced) lines.push(t("force"));
  return lines;
}

/** Why, in words; empty where nobody said. */
export function reason(event) {
  if (!event.reason) return "";
  return has(`reason_${event.reason}`) ? t(`reason_${event.reason}`) : event.reason;
}
