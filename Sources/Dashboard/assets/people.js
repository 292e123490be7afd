// The staff who sign in: what each may do, how they come in and how they are kept out.

import { accessTabs } from "./access.js";
import { protectFirst, sessionList } from "./account.js";
import { get, send } from "./api.js";
import { h, keep, put, whenChanged } from "./dom.js";
import { forget, nameOf, operators, people as listPeople } from "./staff.js";
import { isPerson, viewer } from "./viewer.js";
import { ask, complain, copyable, empty, field, nameIn, option, table, tell, walkable, when } from "./widgets.js";
import { fullTime, t } from "./words.js";

const roles = ["operator", "analyst", "supervisor", "admin"];

export async function people() {
  const body = h("tbody", null);
  walkable(body);
  const list = table(t("people"), [t("name"), t("role"), `~${t("operator")}`, t("state"), `~${t("invited")}`], body);
  const inviting = h("button", { type: "button", class: "primary", onclick: add }, t("invite"));
  const place = h("div");
  const element = h("div", { class: "page" }, accessTabs("people"), h("header", { class: "head" }, h("h1", null, t("people")), inviting), place);

  async function read() {
    const first = await protectFirst();
    inviting.hidden = first !== null;
    if (first) {
      put(place, first);
      return;
    }
    const found = await listPeople({ fresh: true });
    if (found.length === 0) {
      put(place, empty(t("noPeople"), t("noPeopleText")));
      return;
    }
    const named = await Promise.all(found.map(async (one) => ({ ...one, operator: one.operator_id === null ? null : await nameOf(one.operator_id) })));
    keep(body, named, (one) => one.id, row);
    if (!body.querySelector("tr[tabindex='0']")) body.firstElementChild.tabIndex = 0;
    if (place.firstElementChild !== list) put(place, list);
  }

  async function add() {
    const made = await invite().catch(complain);
    if (made) await read();
  }

  await read();
  return { title: t("people"), element, refresh: () => read().catch(() => {}) };
}

function row(one) {
  const line = h("tr", { tabindex: -1 });
  line.update = whenChanged((fresh) => {
    line.classList.toggle("off", fresh.is_disabled);
    put(line, h("th", { scope: "row" }, h("a", { href: `/dashboard/people/${fresh.id}` }, fresh.name), h("small", null, fresh.login)),
      h("td", null, t(`role_${fresh.role}`)), h("td", { class: "minor" }, fresh.operator ?? t("none")), h("td", null, stateOf(fresh)),
      h("td", { class: "minor" }, when(fresh.created_at)));
  });
  line.update(one);
  return line;
}

function stateOf(one) {
  const state = one.is_disabled ? "disabled" : one.has_signed_up ? "active" : "invited";
  return h("span", { class: `status ${{ disabled: "closed", active: "active", invited: "new" }[state]}` }, t(`person_${state}`));
}

/** What a person is and may do. `value()` throws what is wrong with it. */
async function personFields(one) {
  const everybody = await operators({ fresh: true });
  const name = h("input", { required: true, maxlength: 200, value: one?.name ?? "" });
  const present = one?.role ?? (everybody.length > 0 ? "operator" : "supervisor");
  const role = h("select", { onchange: explain }, roles.map((each) => option(each, t(`role_${each}`), each === present)));
  const about = h("small", { class: "about" });
  const operator = h("select", null);
  const isAlready = (each) => each.id === one?.operator_id;
  // Whom somebody is can be changed, but not taken back.
  put(operator, one?.operator_id === null || !one ? option("", t("none"), true) : null,
    everybody.map((each) => option(each.id, each.name, isAlready(each))),
    one?.operator_id && !everybody.some(isAlready) ? option(one.operator_id, await nameOf(one.operator_id), true) : null);

  function explain() {
    put(about, t(`about_role_${role.value}`));
    operator.required = role.value === "operator";
  }

  explain();
  return {
    fields: [field(t("name"), name), field(t("role"), role), about, field(t("operator"), operator, t("operatorHint"))],
    value: () => ({ name: nameIn(name), role: role.value, operator_id: operator.value === "" ? null : Number(operator.value) }),
  };
}

/** Invites somebody and shows the link. Returns the person, or null when it was given up. */
async function invite() {
  const login = h("input", { required: true, maxlength: 200, autocapitalize: "none", autocomplete: "off", spellcheck: "false" });
  const { fields, value } = await personFields(null);
  const made = await ask({ title: t("inviteTitle"), action: t("invite"), fields: [field(t("login"), login, t("loginHint")), fields],
    act: () => send("POST", "/people", { login: nameIn(login), ...value() }) });
  if (!made) return null;
  forget();
  await showLink(made);
  return made.person;
}

function showLink({ person, url, expires_at: end }) {
  return ask({ title: t("linkFor", { name: person.name }), text: t("linkText", { time: fullTime(end) }), action: t("done"), isShownOnce: true,
    fields: [copyable(t("link"), url)] });
}

export async function person(scope, id) {
  let one = await get(`/people/${id}`);
  const title = h("h1", null);
  const facts = h("dl", { class: "facts" });
  const sessions = h("section", { class: "panel" });
  const buttons = h("div", { class: "buttons" });
  const element = h("div", { class: "page" }, h("p", { class: "crumbs" }, h("a", { href: "/dashboard/people" }, t("people"))),
    h("header", { class: "head" }, title, buttons), h("section", { class: "panel" }, facts), sessions,
    h("p", null, h("a", { href: `/dashboard/audit?who=person:${id}` }, t("whatTheyDid"))));

  async function show() {
    title.textContent = one.name;
    const line = (label, ...value) => [h("dt", null, label), h("dd", null, value)];
    put(facts, line(t("login"), one.login), line(t("role"), t(`role_${one.role}`), h("small", null, ` – ${t(`about_role_${one.role}`)}`)),
      line(t("operator"), one.operator_id === null ? t("none") : h("a", { href: `/dashboard/operators/${one.operator_id}` }, await nameOf(one.operator_id))),
      line(t("state"), stateOf(one)), line(t("invited"), when(one.created_at)), one.updated_at && line(t("lastChanged"), when(one.updated_at)));
    const button = (name, work, kind) => h("button", { type: "button", class: kind, onclick: () => work().catch(complain) }, t(name));
    put(buttons, button("edit", edit), !one.is_disabled && button(one.has_signed_up ? "newPasswordLink" : "newInvitation", link),
      one.is_disabled ? button("enable", enable) : button("disable", disable, "danger"));
  }

  async function readSessions() {
    const found = await get(`/sessions?person_id=${id}`);
    put(sessions, h("header", { class: "head" }, h("h2", null, t("sessions")),
      found.some((each) => !each.is_current) && h("button", { type: "button", class: "small", onclick: endAll }, t("endAll"))),
      found.length === 0 ? h("p", { class: "note" }, t("noSessions")) : sessionList(found, readSessions));
  }

  async function read() {
    one = await get(`/people/${id}`);
    await Promise.all([show(), readSessions()]);
  }

  async function save(changes) {
    one = await send("PATCH", `/people/${id}`, changes);
    forget();
  }

  async function change(changes) {
    await save(changes);
    await read();
  }

  async function edit() {
    const { fields, value } = await personFields(one);
    const changed = await ask({ title: t("edit"), action: t("save"), fields: [fields], act: async () => {
      const wanted = Object.entries(value()).filter(([name, each]) => each !== one[name]);
      if (wanted.length > 0) await save(Object.fromEntries(wanted));
      return true;
    } });
    if (!changed) return;
    tell(t("personSaved"));
    // What is offered to whoever looks may be something else from now on, and this page may not be.
    if (isPerson() && one.id === Number(viewer().id)) location.reload();
    else await read();
  }

  async function link() {
    const made = await ask({ title: t("linkAsk", { name: one.name }), text: t("linkAskText"), action: t("makeLink"), act: () => send("POST", `/people/${id}/link`) });
    if (made) await showLink(made);
  }

  async function disable() {
    const done = await ask({ title: t("disableAsk", { name: one.name }), text: t("disableText"), action: t("disable"), isDangerous: true,
      act: () => save({ is_disabled: true }).then(() => true) });
    if (!done) return;
    tell(t("disabledX", { name: one.name }), { undo: () => change({ is_disabled: false }) });
    await read();
  }

  async function enable() {
    await change({ is_disabled: false });
    tell(t("enabledX", { name: one.name }));
  }

  async function endAll() {
    const done = await ask({ title: t("endAllAsk", { name: one.name }), action: t("endAll"), isDangerous: true, act: () => send("DELETE", `/sessions?person_id=${id}`) });
    if (!done) return;
    tell(t("othersEnded"));
    await readSessions();
  }

  await Promise.all([show(), readSessions()]);
  return { title: one.name, element, refresh: () => read().catch(() => {}) };
}
