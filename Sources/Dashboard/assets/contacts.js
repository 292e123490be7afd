// Contacts: the list that follows what happens, and the panel of one with its history and the reason it is where it is.

import { Refusal, get, page, query, send } from "./api.js";
import { h, keep, put, whenChanged } from "./dom.js";
import { reason, sentence } from "./events.js";
import { gently, onEvent } from "./live.js";
import { adjust, go, parameters, period } from "./router.js";
import { nameOf, operators, sources } from "./staff.js";
import { may, viewer } from "./viewer.js";
import {
  ask, candidateChart, complain, empty, field, focusRow, linkIf, operatorPicker, option, since, status, table, tell, tick, walkable, when, wholeNumber,
} from "./widgets.js";
import { has, t } from "./words.js";

const pageSize = 50;
const filters = ["status", "source_id", "operator_id", "q", "from", "to", "order"];

export async function contacts(scope) {
  const list = contactTable({ scope, filters: true, without: may("operators") ? [] : ["operator"] });
  const element = h("div", { class: "page" }, h("header", { class: "head" }, h("h1", null, t("contacts"))), list.element);
  await list.begin();
  return { title: t("contacts"), element, moved: list.moved, shown: list.shown, refresh: list.refresh };
}

/** The name of a lead, or what else it is known by. */
export function leadName(lead) {
  return lead.name || lead.phone || lead.email || lead.external_id || t("unnamed");
}

/**
 * A list of contacts, and the panel of the one in the address. `fixed` are filters that this list always has; columns in `without`
 * are left out; with `filters` it shows its own: all of them, or the `"status"` alone.
 */
export function contactTable({ scope, fixed = {}, without = [], filters: shownFilters = false }) {
  const hasFilters = shownFilters === true;
  let items = [];
  let next = null;
  let asked = "";
  let unseen = 0;
  let panel = null;
  const underWay = new Set();
  const selected = new Set();
  const body = h("tbody", null);
  walkable(body);
  const shows = (column) => !without.includes(column);
  const selectAll = h("input", { type: "checkbox", "aria-label": t("selectAll"), onchange: () => {
    for (const one of items) if (selectAll.checked) selected.add(one.id);
    if (!selectAll.checked) selected.clear();
    for (const row of body.children) row.show();
    showBulk();
  } });
  const frame = table(t("contacts"), [may("work") && selectAll, "№", `~${t("created")}`, t("lead"), shows("source") && `~${t("source")}`,
    shows("operator") && `~${t("operator")}`, t("status"), `~${t("message")}`, may("work") && ""].filter((head) => head !== false), body);
  const pill = h("button", { type: "button", class: "pill", hidden: true, onclick: () => {
    scrollTo(0, 0);
    read().catch(complain);
  } });
  const bulk = h("div", { class: "bulk", role: "region", "aria-label": t("actions") });
  const more = h("button", { type: "button", class: "more", hidden: true, onclick: readMore }, t("more"));
  const place = h("div", null);
  const aside = h("div");
  const bar = shownFilters ? filterBar(scope, hasFilters) : null;
  const element = h("div", { class: "contacts" }, bar?.element, bulk, pill, place, more, aside);

  function wanted() {
    const at = parameters();
    const { from, to } = period();
    const isOpen = shownFilters && at.get("status") === "open";
    return {
      status: shownFilters && !isOpen ? at.get("status") : null,
      is_active: isOpen ? "true" : null,
      source_id: at.get("source_id"), operator_id: at.get("operator_id"), q: at.get("q"),
      created_from: from, created_to: to,
      ...(hasFilters ? {} : { source_id: null, operator_id: null, q: null, created_from: null, created_to: null }),
      ...fixed,
      order: hasFilters && at.get("order") === "asc" ? "asc" : "desc", limit: pageSize,
    };
  }

  const listPath = (limit = pageSize) => `/contacts${query({ ...wanted(), limit })}`;
  let readings = 0;

  /** Reads the list anew, as far as it is shown. */
  async function read() {
    const path = listPath();
    const isOther = path !== asked;
    asked = path;
    const reading = ++readings;
    const found = await page(listPath(isOther ? pageSize : Math.min(1000, Math.max(pageSize, items.length))));
    if (reading !== readings || scope.isOver) return;
    const known = new Map(items.map((one) => [one.id, one]));
    items = found.items.map((one) => newer(known.get(one.id), one));
    next = found.next;
    unseen = 0;
    for (const id of selected) if (!items.some((one) => one.id === id)) selected.delete(id);
    show();
  }

  /** An answer may be older than what has been shown since it was asked for. */
  function newer(shown, one) {
    return shown && shown.version > one.version ? shown : one;
  }

  async function readMore() {
    more.disabled = true;
    try {
      const reading = ++readings;
      const found = await page(next);
      if (reading !== readings) return;
      const known = new Set(items.map((one) => one.id));
      items = [...items, ...found.items.filter((one) => !known.has(one.id))];
      next = found.next;
      show();
    } catch (error) {
      complain(error);
    } finally {
      more.disabled = false;
    }
  }

  function show() {
    showPill();
    more.hidden = next === null;
    showBulk();
    if (items.length === 0) {
      const isFiltered = shownFilters && filters.some((name) => name !== "order" && parameters().has(name));
      put(place, isFiltered
        ? empty(t(parameters().get("status") === "new" ? "nobodyWaits" : "noMatch"), null, h("button", { type: "button", onclick: () => go(location.pathname) }, t("clearFilters")))
        : empty(t("noContacts"), t("noContactsText"), may("changeSources") && h("a", { class: "button", href: "/docs", target: "_blank", rel: "noopener" }, t("howToSend"))));
      return;
    }
    keep(body, items, (one) => one.id, row);
    if (!body.querySelector("tr[tabindex='0']")) body.firstElementChild.tabIndex = 0;
    if (place.firstElementChild !== frame) put(place, frame);
  }

  function showPill() {
    pill.hidden = unseen === 0;
    if (unseen > 0) put(pill, unseen < pageSize ? t("newContacts", { n: unseen }) : t("manyNewContacts", { n: pageSize }));
  }

  function row(one) {
    let current = null;
    const box = h("input", { type: "checkbox", "aria-label": t("selectX", { id: one.id }), onchange: () => {
      if (box.checked) selected.add(one.id);
      else selected.delete(one.id);
      line.show();
      showBulk();
    } });
    const link = h("a", { href: `/dashboard/contacts?contact=${one.id}`, onclick: (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      adjust({ contact: one.id });
    } }, String(one.id));
    const line = h("tr", { tabindex: -1 });
    const closing = h("button", { type: "button", class: "small", onclick: () => act(current, "close") }, t("closeContact"));
    line.show = () => {
      box.checked = selected.has(one.id);
      line.classList.toggle("selected", box.checked);
    };
    line.update = (fresh) => {
      const isMoved = current !== null && (current.status !== fresh.status || current.operator_id !== fresh.operator_id);
      current = fresh;
      fillCells(fresh.status, fresh.waiting_reason, fresh.message, fresh.operator?.id, fresh.operator?.name, leadName(fresh.lead), fresh.lead_id, fresh.source.name);
      line.show();
      if (isMoved) {
        line.classList.remove("flash");
        void line.offsetWidth;
        line.classList.add("flash");
      }
    };
    const fillCells = whenChanged(() => {
      const fresh = current;
      put(line,
        may("work") && h("td", null, box), h("th", { scope: "row" }, link), h("td", { class: "minor" }, when(fresh.created_at)),
        h("td", null, h("a", { href: `/dashboard/leads/${fresh.lead_id}`, title: leadName(fresh.lead) }, leadName(fresh.lead))),
        shows("source") && h("td", { class: "minor" }, linkIf(may("sources"), `/dashboard/sources/${fresh.source_id}`, fresh.source.name)),
        shows("operator") && h("td", { class: "minor" },
          fresh.operator ? linkIf(may("operators"), `/dashboard/operators/${fresh.operator.id}`, fresh.operator.name) : t("none")),
        h("td", null, status(fresh), fresh.status === "new" && h("small", { class: "why" }, t(`reason_${fresh.waiting_reason}`))),
        h("td", { class: "text minor" }, fresh.message ?? ""),
        may("work") && h("td", null, fresh.status === "closed" ? null : closing));
    });
    line.update(one);
    return line;
  }

  function replace(fresh, { isCertain = false } = {}) {
    const index = items.findIndex((one) => one.id === fresh.id);
    if (index < 0) return;
    items[index] = isCertain ? fresh : newer(items[index], fresh);
    body.querySelector(`[data-key="${fresh.id}"]`)?.update(items[index]);
  }

  // What can be done to one contact. It is shown at once as it will be; if it is refused, as it is.
  async function act(one, action, options = {}) {
    if (underWay.has(one.id)) return;
    underWay.add(one.id);
    const foreseen = action === "close" ? { ...one, status: "closed", is_active: false, waiting_reason: null } : null;
    if (foreseen) replace(foreseen, { isCertain: true });
    try {
      const fresh = await perform(one, action, options);
      if (!fresh) return;
      replace(fresh);
      panel?.changed(fresh);
      if (!isSeen(fresh)) drop(fresh.id);
    } catch (error) {
      if (foreseen && items.includes(foreseen)) replace(one, { isCertain: true });
      panel?.reset();
      complain(error);
      // Whatever was refused, or got no answer: this is how it is.
      await refresh(one.id).catch(() => {});
    } finally {
      underWay.delete(one.id);
    }
  }

  async function refresh(id) {
    try {
      const fresh = await get(`/contacts/${id}`);
      replace(fresh);
      panel?.changed(fresh);
    } catch (error) {
      if (error.status !== 404) throw error;
      drop(id);
    }
  }

  /** An operator sees what it has: what went to somebody else is gone. */
  function isSeen(one) {
    return viewer().role !== "operator" || one.operator_id === viewer().operator_id;
  }

  function drop(id) {
    items = items.filter((one) => one.id !== id);
    selected.delete(id);
    if (panel?.id === id) adjust({ contact: null });
    show();
  }

  function showBulk() {
    selectAll.checked = items.length > 0 && items.every((one) => selected.has(one.id));
    selectAll.indeterminate = !selectAll.checked && selected.size > 0;
    bulk.hidden = selected.size === 0;
    fillBulk(selected.size);
  }

  const fillBulk = whenChanged((count) => {
    if (count === 0) return;
    const button = (label, work) => h("button", { type: "button", onclick: work }, label);
    put(bulk, h("strong", null, t("selected", { n: selected.size })),
      button(t("closeContact"), () => change("close", t("closeContact"))),
      button(t("transfer"), changeOperator),
      button(t("release"), () => change("release", t("release"))),
      button(t("setPriority"), changePriority),
      h("button", { type: "button", class: "icon", "aria-label": t("cancel"), onclick: () => {
        selected.clear();
        show();
        for (const each of body.children) each.show();
      } }, "×"));
  });

  async function change(action, label, more = () => ({}), fields = [], title = null) {
    const ids = [...selected];
    const results = await ask({
      title: title ?? t("bulkAsk", { n: ids.length, action: label }), action: label, fields,
      act: () => send("POST", "/contacts/bulk", { action, ids, ...more() }),
    });
    if (!results) return;
    const refused = results.filter((one) => one.status >= 300);
    for (const one of results) if (one.contact) replace(one.contact);
    for (const one of results) if (one.contact && !isSeen(one.contact)) drop(one.contact.id);
    selected.clear();
    for (const one of refused) selected.add(one.id);
    for (const each of body.children) each.show();
    showBulk();
    if (refused.length < results.length) tell(t("bulkDone", { n: results.length - refused.length }));
    if (refused.length > 0) {
      await ask({
        title: t("bulkFailed", { n: refused.length }), action: t("ok"), isOnlyRead: true,
        fields: [h("ul", { class: "refused" }, [...Map.groupBy(refused, reasonOf)].map(([reason, those]) =>
          h("li", null, h("strong", null, those.map((one) => `№ ${one.id}`).join(", ")), ` ${reason}`)))],
      });
    }
  }

  async function changeOperator() {
    try {
      const picker = operatorPicker(await operators({ fresh: true }));
      const force = h("input", { type: "checkbox" });
      await change("assign", t("transfer"), () => ({ operator_id: Number(picker.value), force: force.checked }),
        [field(t("operator"), picker), may("force") && h("label", { class: "check" }, force, t("force"))], t("assignMany", { n: selected.size }));
    } catch (error) {
      complain(error);
    }
  }

  function changePriority() {
    const input = h("input", { inputmode: "numeric", value: "5" });
    return change("priority", t("setPriority"), () => ({ priority: wholeNumber(input.value, 0, 9, "0–9") }), [field(`${t("priority")} (0–9)`, input)]);
  }

  // What happens meanwhile.
  const changed = new Set();
  let hasNews = false;
  const follow = gently(async () => {
    const ids = [...changed];
    const isNews = hasNews;
    changed.clear();
    hasNews = false;
    try {
      if (ids.length > 20 || (isNews && canGrow())) await read();
      else {
        await Promise.all(ids.map(refresh));
        if (isNews) await countNews();
      }
    } catch (error) {
      for (const id of ids) changed.add(id);
      hasNews = hasNews || isNews;
      throw error;
    }
  }, scope, 500);

  /** Whether the list may grow at the top without anything moving away under the viewer's hand. */
  function canGrow() {
    return scrollY < 40 && selected.size === 0 && !body.contains(document.activeElement);
  }

  async function countNews() {
    const found = await page(listPath());
    const latest = items[0]?.id ?? 0;
    unseen = found.items.filter((one) => one.id > latest).length;
    showPill();
  }

  onEvent((event) => {
    const id = event.contact_id;
    if (id === null) return;
    if (items.some((one) => one.id === id) || panel?.id === id) changed.add(id);
    else if (concerns(event)) hasNews = true;
    else return;
    follow();
  }, scope);

  /** Whether a contact that is not in the list may belong there now, among those shown. What the event does not say reading finds out. */
  function concerns(event) {
    const want = wanted();
    const isShownPart = next === null || (want.order === "asc" ? event.contact_id <= items.at(-1).id : event.contact_id >= items.at(-1).id);
    if (!isShownPart || (want.order === "asc" && event.kind === "registered" && next !== null)) return false;
    return !want.operator_id || String(event.to_operator_id ?? "") === String(want.operator_id);
  }

  const clock = setInterval(() => tick(element), 1000);
  scope.end(() => clearInterval(clock));

  function showPanel() {
    const id = Number(parameters().get("contact")) || null;
    if (panel?.id === id) return;
    const before = panel?.id;
    panel = null;
    if (id === null) {
      put(aside);
      const line = body.querySelector(`[data-key="${before}"]`);
      if (line) focusRow(body, line);
      return;
    }
    panel = contactPanel(id, act);
    put(aside, panel.element);
    panel.element.focus();
  }

  return {
    element,
    async refresh() {
      try {
        await Promise.all([read(), panel?.read()]);
      } catch {
        // The banner says why.
      }
    },
    async begin() {
      await Promise.all([read(), bar?.begin()]);
      showPanel();
    },
    shown() {
      panel?.element.focus();
    },
    moved() {
      bar?.show();
      showPanel();
      if (listPath() !== asked) read().catch(complain);
    },
  };
}

/** Why something was refused, in words for whoever sees a form and not the API. */
function reasonOf(refusal) {
  if (refusal.code === "operator_at_limit") return t("refusedAtLimit");
  if (refusal.code === "operator_inactive") return t("refusedInactive");
  return refusal.detail ?? refusal.message;
}

/** Does something to a contact and says so; the contact as it is afterwards, or null when it was given up. */
async function perform(one, action, options) {
  const path = `/contacts/${one.id}`;
  const at = { version: one.version };
  switch (action) {
  case "close": {
    const fresh = await send("POST", `${path}/close`, {}, at);
    tell(t("closedX", { id: one.id }), { undo: async () => {
      const again = await send("POST", `${path}/reopen`, {}, { version: fresh.version });
      return t("reopenedFor", { id: one.id, name: again.operator?.name ?? t("waitsAgain") });
    } });
    return fresh;
  }
  case "reopen": {
    const fresh = await send("POST", `${path}/reopen`, {}, at);
    tell(t("reopenedFor", { id: one.id, name: fresh.operator?.name ?? t("waitsAgain") }),
      { undo: () => send("POST", `${path}/close`, {}, { version: fresh.version }) });
    return fresh;
  }
  case "release": {
    const reason = h("input", { maxlength: 200 });
    const fresh = await ask({ title: `${t("contact", { id: one.id })}: ${t("release")}`, action: t("release"), fields: [field(t("reasonField"), reason)],
      act: () => send("POST", `${path}/release`, { reason: reason.value || null }, at) });
    const undo = () => send("POST", `${path}/assign`, { operator_id: one.operator_id }, { version: fresh.version });
    if (fresh) tell(t("releasedX", { id: one.id }), { undo: may("assign") && undo });
    return fresh;
  }
  case "priority": {
    const fresh = await send("PATCH", path, { priority: options.priority }, at);
    tell(t("prioritySet", { id: one.id, priority: options.priority }), { undo: () => send("PATCH", path, { priority: one.priority }, { version: fresh.version }) });
    return fresh;
  }
  default: {
    const picker = operatorPicker(await operators({ fresh: true }), { without: one.operator_id });
    const force = h("input", { type: "checkbox" });
    const reason = h("input", { maxlength: 200 });
    const fresh = await ask({
      title: t(action === "assign" ? "assignTo" : "transferTo", { id: one.id }), action: t(action),
      fields: [field(t("operator"), picker), field(t("reasonField"), reason), may("force") && h("label", { class: "check" }, force, t("force"))],
      act: async () => {
        try {
          return await send("POST", `${path}/${action}`, { operator_id: Number(picker.value), force: force.checked, reason: reason.value || null }, at);
        } catch (error) {
          throw error instanceof Refusal ? new Refusal(error.status, reasonOf(error), error.code) : error;
        }
      },
    });
    if (!fresh) return null;
    // Who waited cannot be put back: a contact that is given back does not return to the same operator.
    tell(t("assignedX", { id: one.id, name: fresh.operator?.name ?? t("waitsAgain") }), {
      undo: one.operator_id !== null && may("assign") && (() => send("POST", `${path}/transfer`, { operator_id: one.operator_id }, { version: fresh.version })),
    });
    return fresh;
  }
  }
}

/** One contact: what it is, what can be done, why it is where it is and what happened to it. */
function contactPanel(id, act) {
  let contact = null;
  const head = h("div");
  const why = h("section", null);
  const history = h("section", null);
  const element = h("aside", { class: "panel-side", tabindex: -1, "aria-label": t("contact", { id }), onkeydown: (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      leavePanel();
    }
  } }, head, why, history);
  put(head, h("p", { role: "status" }, t("loading")));

  function leavePanel() {
    adjust({ contact: null });
  }

  async function read() {
    try {
      const fresh = await get(`/contacts/${id}`);
      if (!contact || fresh.version >= contact.version) contact = fresh;
      show();
      await Promise.all([readWhy(), readHistory()]);
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error);
      put(head, closeButton(), h("p", { class: "fault", role: "alert" }, error.message));
    }
  }

  function closeButton() {
    return h("button", { type: "button", class: "icon leave", "aria-label": t("toList"), title: t("toList"), onclick: leavePanel }, "×");
  }

  /** Makes the panel's head anew; who was working in it keeps the focus in the panel. */
  function show() {
    const hadFocus = head.contains(document.activeElement);
    fill();
    if (hadFocus) element.focus();
  }

  function fill() {
    const button = (action) => h("button", { type: "button", class: action === "close" ? "primary" : null, onclick: () => act(contact, action) },
      t(action === "close" ? "closeContact" : action));
    const actions = { new: ["assign", "close"], active: ["close", "transfer", "release"], closed: ["reopen"] }[contact.status]
      .filter((action) => may(action === "assign" ? "assign" : "work"));
    const priority = h("select", { "aria-label": t("priority"), onchange: () => act(contact, "priority", { priority: Number(priority.value) }) },
      [...Array(10).keys()].map((value) => option(value, String(value), value === contact.priority)));
    const line = (label, value) => value && [h("dt", null, label), h("dd", null, value)];
    put(head, closeButton(),
      h("h2", null, t("contact", { id })), h("p", null, status(contact), " ",
        contact.operator ? linkIf(may("operators"), `/dashboard/operators/${contact.operator.id}`, contact.operator.name) : null,
        contact.status === "new" && h("span", { class: "why" }, t("waitingBecause", { reason: t(`reason_${contact.waiting_reason}`) }))),
      contact.message && h("blockquote", null, contact.message),
      h("div", { class: "buttons" }, actions.map(button)),
      h("dl", null,
        line(t("lead"), h("a", { href: `/dashboard/leads/${contact.lead_id}` }, leadName(contact.lead))),
        line(t("phone"), contact.lead_phone), line(t("email"), contact.lead_email), line(t("externalID"), contact.lead_external_id),
        line(t("source"), linkIf(may("sources"), `/dashboard/sources/${contact.source_id}`, contact.source.name)),
        line(t("created"), [when(contact.created_at), contact.status === "new" && [" · ", since(contact.created_at)]]),
        line(t("assignedAt"), contact.assigned_at && when(contact.assigned_at)), line(t("closedAt"), contact.closed_at && when(contact.closed_at)),
        line(t("sourceEvent"), contact.source_event_id),
        contact.status === "closed" || !may("work") ? line(t("priority"), String(contact.priority)) : line(t("priority"), priority)));
  }

  async function readWhy() {
    try {
      const explanation = await get(`/contacts/${id}/explain`);
      put(why, h("h3", null, t("why")), h("p", { class: "sentence" }, explanation.sentence),
        h("p", { class: "note" }, [has(explanation.strategy) ? t(explanation.strategy) : explanation.strategy, " · ", when(explanation.decided_at)]),
        explanation.candidates.length > 0 && [h("h4", null, t("candidates")), candidateChart(explanation.candidates.slice(0, 30), explanation.operator_id),
          explanation.candidates.length > 30 && h("p", { class: "note" }, t("more_n", { n: explanation.candidates.length - 30 }))]);
    } catch (error) {
      if (error.status !== 404) throw error;
      put(why, h("h3", null, t("why")), h("p", { class: "note" }, error.message));
    }
  }

  async function readHistory() {
    const events = await get(`/contacts/${id}/history`);
    const lines = await Promise.all(events.map(async (event) => h("li", null, when(event.at), h("span", null, await sentence(event),
      reason(event) && h("em", null, ` — ${reason(event)}`)))));
    put(history, h("h3", null, t("history")), h("ol", { class: "history" }, lines));
  }

  read();
  return {
    id,
    element,
    read,
    reset() {
      if (contact) show();
    },
    changed(fresh) {
      if (fresh.id !== id || (contact && fresh.version <= contact.version)) return;
      contact = fresh;
      show();
      Promise.all([readWhy(), readHistory()]).catch(() => {});
    },
  };
}

/** What narrows the list down, all of it in the address. */
function filterBar(scope, isWhole) {
  const set = (name) => (event) => adjust({ [name]: event.target.value, contact: null });
  const choice = (name, label) => h("select", { "aria-label": label, "data-filter": name, onchange: set(name) });
  const state = choice("status", t("status"));
  const from = h("input", { type: "date", "aria-label": t("from"), "data-filter": "from", onchange: set("from") });
  const to = h("input", { type: "date", "aria-label": t("to"), "data-filter": "to", onchange: set("to") });
  const source = choice("source_id", t("source"));
  const operator = choice("operator_id", t("operator"));
  const order = choice("order", t("sortedBy"));
  let typing = null;
  const words = h("input", { type: "search", placeholder: t("searchHint"), "aria-label": t("search"), "data-filter": "q", oninput: () => {
    clearTimeout(typing);
    typing = setTimeout(() => adjust({ q: words.value.trim(), contact: null }, { replace: true }), 250);
  } });
  scope.end(() => clearTimeout(typing));
  const clear = h("button", { type: "button", onclick: () => go("/dashboard/contacts") }, t("clearFilters"));
  put(state, option("", t("anyStatus")), option("open", t("open")), ["new", "active", "closed"].map((each) => option(each, t(`status_${each}`))));
  put(order, option("", t("newest")), option("asc", t("oldestFirst")));
  const element = h("div", { class: "filters" }, isWhole ? [may("search") && words, state, may("sources") && source, may("operators") && operator,
    h("label", null, t("from"), from), h("label", null, t("to"), to), order, clear] : state);

  function show() {
    const at = parameters();
    for (const [name, control] of [["status", state], ["source_id", source], ["operator_id", operator], ["from", from], ["to", to], ["order", order], ["q", words]]) {
      if (control !== document.activeElement || control !== words) control.value = at.get(name) ?? "";
    }
    clear.hidden = !filters.some((name) => at.has(name));
  }

  return {
    element,
    show,
    async begin() {
      if (!isWhole || !may("sources")) {
        show();
        return;
      }
      const [people, places] = await Promise.all([operators(), sources()]);
      put(source, option("", t("anySource")), places.map((one) => option(one.id, one.name)));
      put(operator, option("", t("anyOperator")), people.map((one) => option(one.id, one.name)));
      const wanted = parameters().get("operator_id");
      if (wanted && !people.some((one) => String(one.id) === wanted)) operator.append(option(wanted, await nameOf(Number(wanted))));
      show();
    },
  };
}

