// What goes on now: who waits and why, how much comes in, who carries how much.

import { get, query } from "./api.js";
import { h, keep, put, whenChanged } from "./dom.js";
import { deed, sentence } from "./events.js";
import { gently, onEvent } from "./live.js";
import { operators as listOperators } from "./staff.js";
import { isOpen, may } from "./viewer.js";
import { columns, empty, loadBar, since, tick, when } from "./widgets.js";
import { duration, number, t } from "./words.js";

const shownOperators = 24;
const shownEvents = 12;

/** Midnight where the viewer is: since when `today` counts. */
export function midnight() {
  const day = new Date();
  day.setHours(0, 0, 0, 0);
  return day.toISOString();
}

export function readOverview() {
  return get(`/stats/overview${query({ today_from: midnight() })}`);
}

export async function overview(scope) {
  const cards = h("div", { class: "cards" });
  const waiting = h("section", { class: "panel" });
  const team = h("section", { class: "panel" });
  const feed = h("ol", { class: "feed", "aria-live": "off" });
  const happening = h("section", { class: "panel" }, h("h2", null, t("happening")), feed);
  const element = h("div", { class: "page" }, h("h1", { class: "quiet" }, t("overview")), cards,
    h("div", { class: "columns-2" }, h("div", null, waiting, team), happening));

  const rows = h("div", { class: "people" });
  const tally = h("p", { class: "note" });
  const all = h("a", { href: "/dashboard/operators" });
  const parts = cardParts();
  put(cards, parts.elements);

  async function read() {
    const [figures, groups] = await Promise.all([readOverview(), get("/queue")]);
    if (!scope.isOver) show(figures, groups);
  }

  const showGroups = whenChanged((groups) => put(waiting, h("h2", null, t("waitingWhy")), groups.length === 0
    ? h("p", { class: "good" }, t("nobodyWaits"))
    : h("ul", { class: "groups" }, groups.map(group))));
  const showBeginning = whenChanged((operators, sources) => put(waiting, beginning(operators, sources)));

  function show(figures, groups) {
    parts.show(figures);
    document.title = `${figures.waiting > 0 ? `(${number(figures.waiting)}) ` : ""}${t("overview")} · Leads CRM`;
    if (figures.operators.length === 0 || figures.sources.length === 0) {
      showBeginning(figures.operators.length, figures.sources.length);
      team.hidden = true;
      return;
    }
    // The age is no reason to make it anew: it goes on by itself.
    showGroups(groups.map((one) => ({ ...one, oldest_age_seconds: null })));
    team.hidden = false;
    // Who needs attention comes first: over or at the limit, then by how full; who is inactive comes last.
    const share = (one) => (one.is_active ? one.current_load / one.max_load : -1 + one.current_load / 1e9);
    const sorted = [...figures.operators].sort((a, b) => share(b) - share(a) || a.id - b.id).slice(0, shownOperators);
    if (!team.contains(rows)) put(team, h("h2", null, t("attention")), tally, rows, h("p", null, all));
    all.textContent = t("allOperators", { n: figures.operators.length });
    const full = figures.operators.filter((one) => one.is_active && one.current_load >= one.max_load).length;
    const off = figures.operators.filter((one) => !one.is_active).length;
    tally.textContent = [full > 0 && t("n_full", { n: full }), off > 0 && t("n_off", { n: off })].filter(Boolean).join(" · ");
    keep(rows, sorted, (one) => one.id, person);
  }

  const reread = gently(read, scope, 1000);
  const announce = feedOf(feed, scope);
  let trailing = null;
  onEvent((event) => {
    reread();
    // The figures are at most a second old: what was read at once may not have this in it yet.
    clearTimeout(trailing);
    trailing = setTimeout(reread, 1300);
    announce.take(event);
  }, scope);
  const everyTenSeconds = setInterval(reread, 10000);
  const everySecond = setInterval(() => tick(element), 1000);
  scope.end(() => {
    clearTimeout(trailing);
    clearInterval(everyTenSeconds);
    clearInterval(everySecond);
  });
  await Promise.all([read(), announce.begin(), listOperators({ fresh: true })]);
  return {
    title: t("overview"),
    element,
    refresh: reread,
  };
}

function cardParts() {
  const waiting = card(t("waitingNow"));
  const rate = card(t("perMinute"));
  const speed = card(t("timeToAssign"));
  const load = card(t("capacity"));
  waiting.element.dataset.card = "waiting";
  return {
    elements: [waiting.element, rate.element, speed.element, load.element],
    show(figures) {
      waiting.element.classList.toggle("alarming", figures.waiting > 0);
      waiting.show(number(figures.waiting), figures.waiting === 0 ? t("nobodyWaits") : t("oldest", { age: duration(figures.oldest_waiting_seconds ?? 0) }),
        null, figures.waiting === 0 ? null : "/dashboard/contacts?status=new&order=asc");
      const minutes = figures.contacts_per_minute;
      const total = minutes.reduce((sum, one) => sum + one, 0);
      rate.show(number(minutes.at(-2)), `${t("thisMinute", { n: minutes.at(-1) })} · ${t("lastHour", { n: total })}`, columns(minutes, t("lastHour", { n: total })));
      const { p50, p95 } = figures.time_to_assign;
      speed.show(p50 === null ? t("none") : duration(p50), p50 === null ? t("noAssignments") : `${t("median")} · ${t("mostWithin", { time: duration(p95) })}`);
      const active = figures.operators.filter((one) => one.is_active);
      const sum = (of) => active.reduce((total, one) => total + one[of], 0);
      const carried = { current_load: sum("current_load"), max_load: sum("max_load") };
      load.show(number(carried.current_load), `${t("ofOperators", { n: carried.max_load })} · ${t("online_n", { n: active.length })}`,
        active.length > 0 && loadBar(carried));
    },
  };
}

function card(title) {
  const value = h("strong", { class: "value" });
  const words = h("span", null);
  const link = h("a", null);
  const note = h("p", { class: "note" }, words, link);
  const picture = h("div", { class: "picture" });
  return {
    element: h("section", { class: "card" }, h("h2", null, title), value, note, picture),
    show(figure, text, image, address = null) {
      if (value.textContent !== figure) put(value, figure);
      const [shown, hidden] = address === null ? [words, link] : [link, words];
      shown.textContent = text;
      shown.hidden = false;
      hidden.hidden = true;
      if (address !== null) link.href = address;
      put(picture, image);
    },
  };
}

function group(one) {
  const address = `/dashboard/contacts${query({ status: "new", source_id: one.source_id, order: "asc" })}`;
  return h("li", null,
    h("a", { href: address, class: "count" }, number(one.count)),
    h("div", null, h("strong", null, h("a", { href: `/dashboard/sources/${one.source_id}` }, one.source_name)), ` · ${t(`reason_${one.reason}`)}`,
      h("p", { class: "help" }, one.unblock)),
    since(one.oldest_at));
}

function person(one) {
  const name = h("a", { class: "name" });
  const badge = h("span", { class: "badge" });
  const bar = loadBar(one);
  const today = h("span", { class: "today" });
  const row = h("div", { class: "person" }, h("div", { class: "who" }, name, " ", badge), bar, today);
  row.update = (fresh) => {
    name.textContent = name.title = fresh.name;
    name.href = `/dashboard/operators/${fresh.id}`;
    const words = !fresh.is_active ? t("inactive") : fresh.current_load > fresh.max_load ? t("over") : fresh.current_load === fresh.max_load ? t("atLimit") : "";
    badge.textContent = words;
    badge.hidden = words === "";
    badge.className = `badge ${fresh.is_active ? "full" : "off"}`;
    bar.update(fresh);
    today.textContent = `${t("today")}: ${number(fresh.today)}`;
    row.classList.toggle("off", !fresh.is_active);
  };
  row.update(one);
  return row;
}

/** What happens, the latest first; of a flood the latest few, so that it stays readable. */
function feedOf(list, scope) {
  let fresh = [];
  const show = gently(async () => {
    const events = fresh.slice(-shownEvents);
    fresh = [];
    for (const event of events) await add(event, true);
  }, scope, 400);

  async function add(event, isNew) {
    // While access is open nobody is told from anybody, and the page says so already.
    const words = await (isOpen() && event.actor.kind === "api" ? deed : sentence)(event);
    const item = h("li", { class: isNew ? "fresh" : null, "data-contact": event.contact_id },
      when(event.at),
      h("span", null, event.contact_id === null ? words
        : [h("a", { href: `/dashboard/contacts?contact=${event.contact_id}` }, `№ ${event.contact_id}`), ` ${words}`]));
    list.querySelector(".none")?.remove();
    list.prepend(item);
    while (list.children.length > shownEvents) list.lastElementChild.remove();
  }

  return {
    /** Until something happens, what came last. */
    async begin() {
      for (const one of (await get(`/contacts?order=desc&limit=${shownEvents}`)).reverse()) {
        await add({ kind: "registered", contact_id: one.id, from_operator_id: null, to_operator_id: null, actor: { kind: "system" }, at: one.created_at }, false);
      }
      if (list.children.length === 0) put(list, h("li", { class: "none" }, t("nothingYet")));
    },
    take(event) {
      fresh.push(event);
      if (fresh.length > 200) fresh = fresh.slice(-shownEvents);
      show();
    },
  };
}

function beginning(operators, sources) {
  return empty(t("startTitle"), t("startText"),
    h("div", { class: "buttons" },
      operators === 0 && may("changeOperators") && h("a", { class: "button primary", href: "/dashboard/operators" }, t("addOperator")),
      sources === 0 && may("changeSources") && h("a", { class: "button", href: "/dashboard/sources" }, t("addSource")),
      h("a", { class: "button", href: "/docs", target: "_blank", rel: "noopener" }, t("howToSend"))));
}

