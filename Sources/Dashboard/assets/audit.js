// Who changed what is everybody's, and when, with what it was before. What was done to a contact is told by the contact's history.

import { accessTabs } from "./access.js";
import { get, page, query } from "./api.js";
import { h, put } from "./dom.js";
import { deed, differences, kinds, who } from "./events.js";
import { adjust, go, parameters, period } from "./router.js";
import { people } from "./staff.js";
import { complain, empty, option, table, when } from "./widgets.js";
import { t } from "./words.js";

const pageSize = 50;
const filters = ["kind", "who", "from", "to"];

export async function audit() {
  let next = null;
  let asked = null;
  const body = h("tbody", null);
  const list = table(t("audit"), [t("when"), t("who"), t("what")], body);
  list.classList.add("log");
  const place = h("div");
  const more = h("button", { type: "button", class: "more", hidden: true, onclick: () => readMore().catch(complain) }, t("more"));
  const choice = (name, label, ...options) => h("select", { "aria-label": label, "data-filter": name, onchange: (event) => adjust({ [name]: event.target.value }) }, options);
  const date = (name) => h("input", { type: "date", "aria-label": t(name), "data-filter": name, onchange: (event) => adjust({ [name]: event.target.value }) });
  const [everybody, programs] = await Promise.all([people({ fresh: true }), get("/keys")]);
  const kind = choice("kind", t("what"), option("", t("anythingDone")), Object.keys(kinds).map((each) => option(each, t(each === "keys" ? "keysTitle" : each))));
  const actor = choice("who", t("who"), option("", t("anybody")),
    h("optgroup", { label: t("people") }, everybody.map((one) => option(`person:${one.id}`, one.name))),
    programs.length > 0 && h("optgroup", { label: t("keysTitle") }, programs.map((one) => option(`key:${one.id}`, one.name))),
    h("optgroup", { label: t("others") }, ["api", "command", "system"].map((each) => option(each, t(`who_${each}`)))));
  const [from, to] = [date("from"), date("to")];
  const clear = h("button", { type: "button", onclick: () => go("/dashboard/audit") }, t("clearFilters"));
  const element = h("div", { class: "page" }, accessTabs("audit"), h("h1", null, t("audit")),
    h("div", { class: "filters" }, kind, actor, h("label", null, t("from"), from), h("label", null, t("to"), to), clear), place, more);

  function path() {
    const at = parameters();
    const [actorKind, actorID] = (at.get("who") ?? "").split(":");
    return `/audit${query({
      limit: pageSize, kind: kinds[at.get("kind")]?.join(","), actor_kind: actorKind, actor_id: actorID, ...period(),
    })}`;
  }

  async function read() {
    const wanted = asked = path();
    for (const [name, control] of [["kind", kind], ["who", actor], ["from", from], ["to", to]]) control.value = parameters().get(name) ?? "";
    clear.hidden = !filters.some((name) => parameters().has(name));
    const found = await page(wanted);
    const rows = await Promise.all(found.items.map(row));
    if (asked !== wanted) return;
    next = found.next;
    more.hidden = next === null;
    put(body, rows);
    if (rows.length === 0) put(place, empty(t(clear.hidden ? "nothingYet" : "noMatch"), null));
    else if (place.firstElementChild !== list) put(place, list);
  }

  async function readMore() {
    const of = asked;
    more.disabled = true;
    try {
      const found = await page(next);
      const rows = await Promise.all(found.items.map(row));
      if (asked !== of) return;
      next = found.next;
      more.hidden = next === null;
      body.append(...rows);
    } finally {
      more.disabled = false;
    }
  }

  await read();
  return { title: t("audit"), element, refresh: () => read().catch(() => {}), moved: () => read().catch(complain) };
}

async function row(event) {
  const lines = await differences(event);
  const filter = event.actor.id === null ? event.actor.kind : `${event.actor.kind}:${event.actor.id}`;
  return h("tr", { "data-key": event.id }, h("td", null, when(event.at)),
    h("td", null, h("a", { href: `/dashboard/audit?who=${encodeURIComponent(filter)}` }, who(event.actor))),
    h("td", { class: "deed" }, await deed(event), lines.map((line) => h("small", null, line))));
}
