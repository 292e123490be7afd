// Who gets the contacts: how much each carries, may carry and got today.

import { get, send } from "./api.js";
import { h, keep, put } from "./dom.js";
import { gently, onEvent } from "./live.js";
import { readOverview } from "./overview.js";
import { adjust, go, parameters } from "./router.js";
import { contactTable } from "./contacts.js";
import { forget, operators as listOperators } from "./staff.js";
import { may } from "./viewer.js";
import { ask, complain, empty, field, focusRow, loadBar, nameIn, table, tell, toggle, walkable, wholeNumber } from "./widgets.js";
import { number, t } from "./words.js";

const mostLoad = 1_000_000;

export async function operators(scope) {
  let everybody = [];
  const body = h("tbody", null);
  walkable(body);
  const filter = h("input", { type: "search", placeholder: t("filterByName"), "aria-label": t("filterByName"), value: parameters().get("name") ?? "",
    oninput: () => adjust({ name: filter.value }, { replace: true }) });
  const onlyActive = h("input", { type: "checkbox", checked: parameters().has("active"),
    onchange: () => adjust({ active: onlyActive.checked ? "1" : null }, { replace: true }) });
  const place = h("div");
  const list = table(t("operators"), [t("name"), t("active"), t("load"), `~${t("limit")}`, `#${t("today")}`], body);
  const element = h("div", { class: "page" },
    h("header", { class: "head" }, h("h1", null, t("operators")),
      may("changeOperators") && h("button", { type: "button", class: "primary", onclick: add }, t("addOperator"))),
    h("div", { class: "filters" }, filter, h("label", { class: "check" }, onlyActive, t("onlyActive"))), place);

  async function read() {
    const [people, figures] = await Promise.all([listOperators({ fresh: true }), readOverview()]);
    const today = new Map(figures.operators.map((one) => [one.id, one.today]));
    everybody = people.map((one) => ({ ...one, today: today.get(one.id) ?? 0 }));
    show();
  }

  function show() {
    const wanted = (parameters().get("name") ?? "").toLocaleLowerCase();
    const shown = everybody.filter((one) => one.name.toLocaleLowerCase().includes(wanted) && (one.is_active || !parameters().has("active")));
    if (everybody.length === 0) {
      put(place, empty(t("noOperators"), t("noOperatorsText"), may("changeOperators") && h("button", { type: "button", class: "primary", onclick: add }, t("addOperator"))));
      return;
    }
    if (shown.length === 0) {
      put(place, empty(t("noMatch"), null, h("button", { type: "button", onclick: () => go("/dashboard/operators") }, t("clearFilters"))));
      return;
    }
    keep(body, shown, (one) => one.id, (one) => row(one, reread));
    if (body.firstElementChild && !body.querySelector("tr[tabindex='0']")) body.firstElementChild.tabIndex = 0;
    if (place.firstElementChild !== list) put(place, list);
  }

  async function add() {
    const name = h("input", { required: true, maxlength: 200 });
    const limit = h("input", { required: true, inputmode: "numeric", value: "10" });
    const made = await ask({
      title: t("addOperator"), action: t("add"), fields: [field(t("name"), name), field(t("limit"), limit)],
      act: () => send("POST", "/operators", { name: nameIn(name), max_load: wholeNumber(limit.value, 1, mostLoad, t("limitFault")) }),
    });
    if (!made) return;
    forget();
    tell(t("createdX", { name: made.name }));
    await read();
    const fresh = body.querySelector(`[data-key="${made.id}"]`);
    if (fresh) focusRow(body, fresh);
  }

  const reread = gently(read, scope);
  onEvent(reread, scope);
  await read();
  return {
    title: t("operators"), element, refresh: reread, moved: () => {
      if (document.activeElement !== filter) filter.value = parameters().get("name") ?? "";
      onlyActive.checked = parameters().has("active");
      show();
    },
  };
}

function row(one, changed) {
  const name = h("a", null);
  const bar = loadBar(one);
  const today = h("td", { class: "figure" });
  let current = one;
  const active = activeSwitch("", one, (isOn) => setActive(current, isOn).then(changed));
  const limit = limitField(() => current, changed);
  const line = h("tr", { tabindex: -1 }, h("th", { scope: "row" }, name), h("td", null, active), h("td", { class: "wide" }, bar), h("td", { class: "minor" }, limit), today);
  line.update = (fresh) => {
    current = fresh;
    name.textContent = fresh.name;
    name.href = `/dashboard/operators/${fresh.id}`;
    bar.update(fresh);
    if (!active.disabled || !may("changeOperators")) active.setAttribute("aria-checked", String(fresh.is_active));
    active.setAttribute("aria-label", `${fresh.name}: ${t("active")}`);
    if (document.activeElement !== limit) limit.value = String(fresh.max_load);
    limit.setAttribute("aria-label", `${fresh.name}: ${t("limit")}`);
    today.textContent = number(fresh.today);
    line.classList.toggle("off", !fresh.is_active);
  };
  line.update(one);
  return line;
}

/** Whether an operator is active, to be changed by whoever may. */
function activeSwitch(label, one, change) {
  const element = toggle(label, one.is_active, change);
  element.disabled = !may("changeOperators");
  return element;
}

async function setActive(one, isActive) {
  await send("PATCH", `/operators/${one.id}`, { is_active: isActive });
  forget();
  tell(t(isActive ? "activated" : "deactivated", { name: one.name }), { undo: () => send("PATCH", `/operators/${one.id}`, { is_active: !isActive }) });
}

/** A number that is saved when it is left or Enter is pressed, if somebody has changed it. */
function limitField(current, changed) {
  let entered = null;
  const input = h("input", { class: "number", inputmode: "numeric", value: String(current().max_load), size: 6, readonly: !may("changeOperators"),
    onkeydown: (event) => {
      if (event.key === "Enter") {
        input.blur();
        input.closest("tr")?.focus();
      }
      if (event.key === "Escape") {
        input.value = String(current().max_load);
        input.blur();
      }
      event.stopPropagation();
    },
    onfocus: () => { entered = input.value; },
    onblur: async () => {
      const one = current();
      const before = one.max_load;
      if (input.value === entered) {
        input.value = String(before);
        return;
      }
      try {
        const limit = wholeNumber(input.value, 1, mostLoad, t("limitFault"));
        if (limit === before) return;
        await send("PATCH", `/operators/${one.id}`, { max_load: limit });
        forget();
        tell(t("limitSet", { name: one.name, limit }), { undo: () => send("PATCH", `/operators/${one.id}`, { max_load: before }).then(changed) });
        changed();
      } catch (error) {
        input.value = String(before);
        complain(error);
      }
    },
  });
  return input;
}

export async function operator(scope, id) {
  let one = await get(`/operators/${id}`);
  const name = h("h1", null, one.name);
  const bar = loadBar(one);
  const bySource = h("ul", { class: "plain" });
  const contacts = contactTable({ scope, fixed: { operator_id: one.id }, without: ["operator"], filters: "status" });
  const active = activeSwitch(t("active"), one, (isOn) => setActive(one, isOn).then(() => reread()));
  const limit = limitField(() => one, () => reread());
  limit.setAttribute("aria-label", t("limit"));
  const element = h("div", { class: "page" },
    h("p", { class: "crumbs" }, h("a", { href: "/dashboard/operators" }, t("operators"))),
    h("header", { class: "head" }, name, may("changeOperators") && h("div", { class: "buttons" },
      h("button", { type: "button", onclick: rename }, t("edit")),
      h("button", { type: "button", onclick: requeue }, t("requeue")),
      h("button", { type: "button", class: "danger", onclick: archive }, t("archive")))),
    h("div", { class: "cards compact" },
      h("section", { class: "card" }, h("h2", null, t("load")), bar),
      h("section", { class: "card" }, h("h2", null, t("active")), active),
      h("section", { class: "card" }, h("h2", null, t("limit")), limit),
      h("section", { class: "card" }, h("h2", null, t("bySource")), bySource)),
    h("h2", null, t("contacts")), contacts.element);

  async function read() {
    const [fresh, statistics] = await Promise.all([get(`/operators/${id}`), get(`/operators/${id}/stats`)]);
    one = fresh;
    name.textContent = one.name;
    bar.update(one);
    if (!active.disabled || !may("changeOperators")) active.setAttribute("aria-checked", String(one.is_active));
    if (document.activeElement !== limit) limit.value = String(one.max_load);
    put(bySource, statistics.by_source.map((each) => h("li", null, h("a", { href: `/dashboard/sources/${each.source_id}` }, each.source_name), ` ${number(each.count)}`)),
      statistics.by_source.length === 0 && h("li", null, t("none")));
  }

  async function rename() {
    const input = h("input", { required: true, maxlength: 200, value: one.name });
    const before = one.name;
    const changed = await ask({ title: t("edit"), action: t("save"), fields: [field(t("name"), input)],
      act: () => send("PATCH", `/operators/${id}`, { name: nameIn(input) }) });
    if (!changed) return;
    forget();
    tell(t("renamed"), { undo: () => send("PATCH", `/operators/${id}`, { name: before }).then(read) });
    await read();
  }

  async function requeue() {
    const done = await ask({ title: t("requeueAsk", { name: one.name }), text: t("requeueText", { n: one.current_load }), action: t("requeue"),
      act: () => send("PATCH", `/operators/${id}`, { is_active: false, requeue: true }) });
    if (!done) return;
    forget();
    tell(t("requeued", { name: one.name }));
    await read();
  }

  async function archive() {
    const done = await ask({ title: t("archiveAsk", { name: one.name }), text: t("archiveText", { n: one.current_load }), action: t("archive"),
      isDangerous: true, act: () => send("DELETE", `/operators/${id}`) });
    if (!done) return;
    forget();
    tell(t("archived", { name: one.name }));
    go("/dashboard/operators");
  }

  const reread = gently(read, scope);
  onEvent((event) => {
    if (event.from_operator_id === one.id || event.to_operator_id === one.id) reread();
  }, scope);
  await Promise.all([read(), contacts.begin()]);
  return {
    title: one.name, element, moved: contacts.moved, shown: contacts.shown,
    refresh() {
      reread();
      contacts.refresh();
    },
  };
}
