// People who ask: found by any of their keys, with everything they asked, and those who may be one and the same.

import { get, page, query, send } from "./api.js";
import { contactTable, leadName } from "./contacts.js";
import { h, keep, put } from "./dom.js";
import { adjust, go, parameters } from "./router.js";
import { may } from "./viewer.js";
import { ask, complain, empty, field, table, tell, walkable, when } from "./widgets.js";
import { number, t } from "./words.js";

const pageSize = 50;

export async function leads(scope) {
  let items = [];
  let next = null;
  let asked = null;
  const body = h("tbody", null);
  walkable(body);
  const place = h("div");
  const list = table(t("leads"), ["№", t("name"), t("phone"), `~${t("email")}`, `~${t("externalID")}`, `#${t("contactCount")}`, `~${t("lastContact")}`], body);
  const more = h("button", { type: "button", class: "more", onclick: readMore }, t("more"));
  let typing = null;
  const words = h("input", { type: "search", placeholder: t("searchLeads"), "aria-label": t("searchLeads"), value: parameters().get("q") ?? "", oninput: () => {
    clearTimeout(typing);
    typing = setTimeout(() => adjust({ q: words.value.trim() }, { replace: true }), 250);
  } });
  scope.end(() => clearTimeout(typing));
  const element = h("div", { class: "page" },
    h("header", { class: "head" }, h("h1", null, t("leads")), may("duplicates") && h("a", { class: "button", href: "/dashboard/leads/duplicates" }, t("duplicates"))),
    may("search") && h("div", { class: "filters" }, words), place, more);

  async function read() {
    const path = `/leads${query({ q: parameters().get("q"), limit: pageSize })}`;
    asked = path;
    const found = await page(path);
    if (asked !== path) return;
    items = found.items;
    next = found.next;
    show();
  }

  async function readMore() {
    const path = asked;
    try {
      const found = await page(next);
      if (asked !== path) return;
      items = [...items, ...found.items];
      next = found.next;
      show();
    } catch (error) {
      complain(error);
    }
  }

  function show() {
    more.hidden = next === null;
    if (items.length === 0) {
      put(place, parameters().has("q")
        ? empty(t("noMatch"), null, h("button", { type: "button", onclick: () => go("/dashboard/leads") }, t("clearFilters")))
        : empty(t("noLeads"), t("noLeadsText")));
      return;
    }
    keep(body, items, (one) => one.id, row);
    if (!body.querySelector("tr[tabindex='0']")) body.firstElementChild.tabIndex = 0;
    if (place.firstElementChild !== list) put(place, list);
  }

  await read();
  return { title: t("leads"), element, refresh: () => read().catch(() => {}), moved: () => {
    if (document.activeElement !== words) words.value = parameters().get("q") ?? "";
    read().catch(complain);
  } };
}

function row(one) {
  const line = h("tr", { tabindex: -1 });
  line.update = (lead) => {
    const latest = lead.contacts?.reduce((last, each) => (last && last.id > each.id ? last : each), null);
    put(line, h("td", null, String(lead.id)), h("th", { scope: "row" }, h("a", { href: `/dashboard/leads/${lead.id}` }, lead.name || t("unnamed"))),
      h("td", null, lead.phone ?? ""), h("td", { class: "minor" }, lead.email ?? ""), h("td", { class: "minor" }, lead.external_id ?? ""),
      h("td", { class: "figure" }, number(lead.contact_count)), h("td", { class: "minor" }, latest ? when(latest.created_at) : t("none")));
  };
  line.update(one);
  return line;
}

export async function lead(scope, id) {
  let one = await get(`/leads/${id}`);
  const title = h("h1", null);
  const identities = h("dl");
  const contacts = contactTable({ scope, fixed: { lead_id: one.id }, without: ["lead"] });
  const twins = h("section", { class: "panel" });
  const element = h("div", { class: "page" },
    h("p", { class: "crumbs" }, h("a", { href: "/dashboard/leads" }, t("leads"))),
    h("header", { class: "head" }, title, may("changeLeads") && h("button", { type: "button", onclick: edit }, t("edit"))),
    h("section", { class: "panel" }, h("h2", null, t("identities")), identities), twins,
    h("h2", null, t("contacts")), contacts.element);

  function show() {
    title.textContent = leadName(one);
    const line = (label, value) => [h("dt", null, label), h("dd", null, value ?? t("none"))];
    put(identities, line("№", String(one.id)), line(t("phone"), one.phone), line(t("email"), one.email), line(t("externalID"), one.external_id),
      line(t("contactCount"), number(one.contact_count)), line(t("created"), when(one.created_at)));
  }

  async function readTwins() {
    // A lead has few possible duplicates, but they are listed for all leads: as many pages are looked at as may hold them.
    const pairs = (await get("/leads/duplicates?limit=1000")).filter((pair) => pair.lead.id === one.id || pair.other_lead.id === one.id);
    twins.hidden = pairs.length === 0;
    put(twins, h("h2", null, t("duplicates")), h("ul", { class: "plain" }, pairs.map((pair) => {
      const other = pair.lead.id === one.id ? pair.other_lead : pair.lead;
      return h("li", null, h("a", { href: `/dashboard/leads/${other.id}` }, leadName(other)), ` · ${t("sameX", { kind: t(`kind_${pair.kind}`) })} `,
        may("changeLeads") && h("button", { type: "button", class: "small", onclick: () => merge(one, other) }, t("mergeInto", { id: other.id })));
    })));
  }

  async function edit() {
    const input = (of) => h("input", { maxlength: of === "name" ? 200 : 255, value: one[of] ?? "" });
    const [name, phone, email, external] = ["name", "phone", "email", "external_id"].map(input);
    const before = { name: one.name ?? "", phone: one.phone ?? "", email: one.email ?? "", external_id: one.external_id ?? "" };
    const done = await ask({
      title: t("edit"), action: t("save"),
      fields: [field(t("name"), name), field(t("phone"), phone), field(t("email"), email), field(t("externalID"), external)],
      act: () => {
        const now = { name: name.value, phone: phone.value, email: email.value, external_id: external.value };
        const changed = Object.fromEntries(Object.entries(now).filter(([key, value]) => value !== before[key]));
        return Object.keys(changed).length === 0 ? one : send("PATCH", `/leads/${id}`, changed);
      },
    });
    if (!done || done === one) return;
    // A key that was added goes on leading to this lead, so that only the name can be put back.
    const isNameAlone = ["phone", "email", "external_id"].every((key) => (done[key] ?? "") === before[key]);
    tell(t("leadSaved"), { undo: isNameAlone ? () => send("PATCH", `/leads/${id}`, { name: before.name }).then(reread) : undefined });
    await reread();
  }

  async function reread() {
    one = await get(`/leads/${id}`);
    show();
  }

  show();
  twins.hidden = true;
  await contacts.begin();
  if (may("duplicates")) readTwins().catch(complain);
  return { title: leadName(one), element, moved: contacts.moved, shown: contacts.shown, refresh() {
    reread().catch(() => {});
    contacts.refresh();
  } };
}

async function merge(from, into) {
  const done = await ask({
    title: t("mergeAsk", { from: from.id, into: into.id }), text: t("mergeText", { fromName: leadName(from), intoName: leadName(into) }),
    action: t("merge"), isDangerous: true, act: () => send("POST", `/leads/${from.id}/merge`, { into: into.id }),
  });
  if (!done) return;
  tell(t("merged", { id: into.id }));
  go(`/dashboard/leads/${into.id}`);
}

export async function duplicates() {
  let { items, next } = await page(`/leads/duplicates?limit=${pageSize}`);
  const list = h("ul", { class: "pairs" });
  const more = h("button", { type: "button", class: "more", onclick: async () => {
    try {
      const found = await page(next);
      items = [...items, ...found.items];
      next = found.next;
      show();
    } catch (error) {
      complain(error);
    }
  } }, t("more"));
  const place = h("div");

  function show() {
    more.hidden = next === null;
    put(place, items.length === 0 ? empty(t("noDuplicates"), t("noDuplicatesText")) : put(list, items.map(pair)));
  }

  function pair({ lead: one, other_lead: other, kind, found_at: found }) {
    const side = (each, into) => h("div", { class: "side" }, h("a", { href: `/dashboard/leads/${each.id}` }, leadName(each)),
      h("small", null, [each.phone, each.email, each.external_id].filter(Boolean).join(" · ")), h("small", null, t("n_contacts", { n: each.contact_count })),
      may("changeLeads") && h("button", { type: "button", class: "small", onclick: () => merge(into, each) }, t("mergeInto", { id: each.id })));
    return h("li", null, side(one, other), h("span", { class: "same" }, t("sameX", { kind: t(`kind_${kind}`) }), " · ", when(found)), side(other, one));
  }

  show();
  return { title: t("duplicates"), element: h("div", { class: "page" },
    h("p", { class: "crumbs" }, h("a", { href: "/dashboard/leads" }, t("leads"))), h("h1", null, t("duplicates")), place, more) };
}
