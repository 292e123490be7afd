// Where contacts come from, who serves them by which weights, and whether the shares came out as meant.

import { Refusal, get, query, send } from "./api.js";
import { h, keep, put, whenChanged } from "./dom.js";
import { gently, onEvent } from "./live.js";
import { readOverview } from "./overview.js";
import { adjust, go, parameters } from "./router.js";
import { forget, operators } from "./staff.js";
import { may } from "./viewer.js";
import { ask, complain, empty, field, nameIn, operatorPicker, option, shareBand, table, tell, walkable, wholeNumber } from "./widgets.js";
import { number, percentage, t } from "./words.js";

const strategies = ["weighted_random", "weighted_capacity", "smooth_weighted", "round_robin", "least_loaded", "most_free"];
const mostWeight = 1_000_000;
const periods = { day: 1, week: 7, month: 30 };

export async function sources(scope) {
  const body = h("tbody", null);
  walkable(body);
  const place = h("div");
  const list = table(t("sources"), [t("name"), `~${t("strategy")}`, `~${t("sticky")}`, `#${t("waitingNow")}`, `#${t("today")}`], body);
  const element = h("div", { class: "page" },
    h("header", { class: "head" }, h("h1", null, t("sources")), may("changeSources") && h("button", { type: "button", class: "primary", onclick: add }, t("addSource"))), place);

  async function read() {
    const [found, figures] = await Promise.all([get("/sources?limit=1000"), readOverview()]);
    if (found.length === 0) {
      put(place, empty(t("noSources"), t("noSourcesText"), may("changeSources") && h("button", { type: "button", class: "primary", onclick: add }, t("addSource"))));
      return;
    }
    const counts = new Map(figures.sources.map((one) => [one.id, one]));
    keep(body, found.map((one) => ({ ...one, ...counts.get(one.id) })), (one) => one.id, row);
    if (!body.querySelector("tr[tabindex='0']")) body.firstElementChild.tabIndex = 0;
    if (place.firstElementChild !== list) put(place, list);
  }

  async function add() {
    const name = h("input", { required: true, maxlength: 200 });
    const description = h("input", { maxlength: 1000 });
    const made = await ask({
      title: t("addSource"), action: t("add"), fields: [field(t("name"), name), field(t("description"), description)],
      act: () => send("POST", "/sources", { name: nameIn(name), description: description.value || null }),
    });
    if (!made) return;
    forget();
    tell(t("createdX", { name: made.name }));
    go(`/dashboard/sources/${made.id}`);
  }

  const reread = gently(read, scope);
  onEvent(reread, scope);
  await read();
  return { title: t("sources"), element, refresh: reread };
}

function row(one) {
  const line = h("tr", { tabindex: -1 });
  line.update = whenChanged((fresh) => put(line,
    h("th", { scope: "row" }, h("a", { href: `/dashboard/sources/${fresh.id}` }, fresh.name), fresh.description && h("small", null, fresh.description)),
    h("td", { class: "minor" }, t(fresh.strategy)), h("td", { class: "minor" }, fresh.sticky_days === 0 ? t("never") : t("days", { n: fresh.sticky_days })),
    h("td", { class: "figure" }, fresh.waiting > 0 ? h("a", { class: "alarm", href: `/dashboard/contacts${query({ source_id: fresh.id, status: "new" })}` }, number(fresh.waiting)) : "0"),
    h("td", { class: "figure" }, number(fresh.today ?? 0))));
  line.update(one);
  return line;
}

export async function source(scope, id) {
  let one = null;
  const title = h("h1", null);
  const about = h("p", { class: "note" });
  const editor = weightEditor(scope, id);
  const radios = strategies.map((each) => h("input", { type: "radio", name: "strategy", value: each, onchange: () => { apply.hidden = each === one.strategy; } }));
  const apply = h("button", { type: "button", class: "primary", hidden: true, onclick: () => save({ strategy: radios.find((each) => each.checked).value }) }, t("applyStrategy"));
  const choices = h("fieldset", { class: "strategies", disabled: !may("changeSources") },
    h("legend", null, t("strategy")), radios.map((radio, index) => h("label", { class: "choice" }, radio,
    h("span", null, h("strong", null, t(strategies[index])), h("small", null, t(`about_${strategies[index]}`))))));
  const sticky = h("input", { class: "number", inputmode: "numeric", size: 4, readonly: !may("changeSources"), onchange: () => {
    try {
      save({ sticky_days: wholeNumber(sticky.value, 0, 3650, t("notANumber")) });
    } catch (error) {
      sticky.value = String(one.sticky_days);
      complain(error);
    }
  } });
  const element = h("div", { class: "page" },
    h("p", { class: "crumbs" }, h("a", { href: "/dashboard/sources" }, t("sources"))),
    h("header", { class: "head" }, title, may("changeSources") && h("button", { type: "button", onclick: edit }, t("edit"))), about,
    editor.element,
    h("section", { class: "panel" }, h("h2", null, t("settings")), choices, apply, field(t("sticky"), sticky, t("stickyHint"))));

  function show() {
    title.textContent = one.name;
    about.textContent = one.description ?? "";
    if (document.activeElement !== sticky) sticky.value = String(one.sticky_days);
    for (const radio of radios) {
      radio.checked = radio.value === one.strategy;
      radio.closest("label").classList.toggle("chosen", radio.checked);
    }
    apply.hidden = true;
    editor.strategy(one.strategy);
  }

  /** As it is at the server, where somebody else may have changed it; what is being edited here stays. */
  async function read() {
    const fresh = await get(`/sources/${id}`);
    const isChoosing = !apply.hidden;
    one = fresh;
    if (!isChoosing) show();
    editor.meet(fresh.operator_weights);
  }

  async function save(changes) {
    const before = Object.fromEntries(Object.keys(changes).map((name) => [name, one[name] ?? ""]));
    try {
      one = { ...one, ...await send("PATCH", `/sources/${id}`, changes) };
      forget();
      tell(t("sourceChanged"), { undo: async () => {
        one = { ...one, ...await send("PATCH", `/sources/${id}`, before) };
        show();
      } });
    } catch (error) {
      complain(error);
    }
    show();
    editor.refresh();
  }

  async function edit() {
    const name = h("input", { required: true, maxlength: 200, value: one.name });
    const description = h("input", { maxlength: 1000, value: one.description ?? "" });
    const changes = await ask({ title: t("edit"), action: t("save"), fields: [field(t("name"), name), field(t("description"), description)], act: async () => {
      const wanted = { name: nameIn(name), description: description.value };
      const before = { name: one.name, description: one.description ?? "" };
      one = { ...one, ...await send("PATCH", `/sources/${id}`, wanted) };
      return before;
    } });
    if (!changes) return;
    forget();
    show();
    tell(t("sourceChanged"), { undo: async () => {
      one = { ...one, ...await send("PATCH", `/sources/${id}`, changes) };
      show();
    } });
  }

  const reread = gently(read, scope);
  onEvent((event) => {
    if (event.kind === "weights_changed" || event.kind === "source_changed" || event.kind.startsWith("operator_")) reread();
  }, scope);
  one = await get(`/sources/${id}`);
  show();
  await editor.begin(one.operator_weights);
  return { title: one.name, element, moved: editor.moved, isUnsaved: editor.isUnsaved, refresh() {
    reread();
    editor.refresh();
  } };
}

/** The weights of a source, edited in place: what they come to is shown while they are typed, and all are saved at once. */
function weightEditor(scope, id) {
  let saved = [];
  let draft = [];
  let shares = new Map();
  let followsWeights = true;
  let isStoring = false;
  let readings = 0;
  const note = h("p", { class: "note" });
  const body = h("tbody", null);
  const place = h("div");
  const list = table(t("weights"), [t("operator"), t("weight"), `#${t("target")}`, `#${t("actual")}`, t("band"), `#${t("contactsGiven")}`, ""], body);
  const state = h("div", { class: "unsaved", role: "status" });
  const period = h("select", { "aria-label": t("period"), onchange: () => adjust({ period: period.value }, { replace: true }) },
    Object.keys(periods).map((each) => option(each, t(each), each === (parameters().get("period") ?? "week"))));
  const element = h("section", { class: "panel" },
    h("header", { class: "head" }, h("h2", null, t("weights")), h("label", null, t("period"), " ", period)), place, note, state,
    may("changeSources") && h("button", { type: "button", onclick: addOperator }, t("addToSource")));

  const isChanged = () => JSON.stringify(draft.map(pair)) !== JSON.stringify(saved.map(pair));
  const pair = ({ operator_id: operator, weight }) => [operator, weight];
  const isWhole = (weight) => Number.isInteger(weight) && weight >= 1 && weight <= mostWeight;

  async function readShares() {
    const days = periods[parameters().get("period")] ?? periods.week;
    const from = new Date(Date.now() - days * 86_400_000).toISOString();
    const reading = ++readings;
    const found = await get(`/sources/${id}/shares${query({ from })}`);
    if (reading !== readings) return;
    shares = new Map(found.map((one) => [one.operator_id, one]));
    show();
  }

  /** As the draft has it: the percentages follow what is typed. */
  function rows() {
    const total = draft.reduce((sum, one) => sum + (one.is_active && isWhole(one.weight) ? one.weight : 0), 0);
    const listed = draft.map((one) => {
      const share = shares.get(one.operator_id);
      return { ...one, isListed: true, target: one.is_active && total > 0 && isWhole(one.weight) ? one.weight / total : 0, share };
    });
    const others = [...shares.values()].filter((share) => share.contacts > 0 && !draft.some((one) => one.operator_id === share.operator_id));
    return [...listed, ...others.map((share) => ({ operator_id: share.operator_id, name: share.name, weight: 0, isListed: false, target: 0, share }))];
  }

  function show() {
    const shown = rows();
    const scale = Math.max(0.05, ...shown.map((one) => Math.max(one.target, one.share?.actual_share ?? 0, one.share?.high ?? 0)));
    if (shown.length === 0) put(place, h("p", { class: "alarm" }, t("noWeights")));
    else {
      keep(body, shown.map((one) => ({ ...one, scale: Math.min(1, scale * 1.05) })), (one) => one.operator_id, line);
      if (place.firstElementChild !== list) put(place, list);
    }
    const changed = isChanged();
    state.hidden = !changed;
    if (!changed) put(state);
    else if (state.children.length === 0) {
      put(state, h("strong", null, t("unsaved")), h("button", { type: "button", class: "primary", onclick: store }, t("save")),
        h("button", { type: "button", onclick: discard }, t("discard")));
    }
  }

  function line(first) {
    let one = first;
    const name = h("a", { href: `/dashboard/operators/${first.operator_id}` });
    const off = h("span", { class: "badge off" }, t("inactive"));
    const weight = h("input", { class: "number", inputmode: "numeric", size: 7, value: String(first.weight), readonly: !may("changeSources"), oninput: () => {
      const typed = weight.value.replace(/[\s\u00a0]/g, "");
      const found = draft.find((each) => each.operator_id === one.operator_id);
      found.weight = /^\d+$/.test(typed) ? Number(typed) : NaN;
      weight.setAttribute("aria-invalid", String(!isWhole(found.weight)));
      show();
    }, onkeydown: (event) => {
      if (event.key === "Enter") store();
    } });
    const [target, actual, picture, count, actions] = ["figure", "figure", "wide", "figure", null].map((each) => h("td", { class: each }));
    const remove = h("button", { type: "button", class: "small", onclick: () => {
      draft = draft.filter((each) => each.operator_id !== one.operator_id);
      show();
    } }, t("remove"));
    const element = h("tr", null, h("th", { scope: "row" }, name, " ", off), h("td", null, weight), target, actual, picture, count, put(actions, remove));
    element.update = (fresh) => {
      one = fresh;
      const { share } = fresh;
      name.textContent = fresh.name;
      off.hidden = !fresh.isListed || fresh.is_active;
      weight.hidden = !fresh.isListed;
      remove.hidden = !fresh.isListed || !may("changeSources");
      weight.setAttribute("aria-label", t("weightOf", { name: fresh.name }));
      remove.setAttribute("aria-label", t("removeX", { name: fresh.name }));
      if (document.activeElement !== weight && isWhole(fresh.weight)) weight.value = String(fresh.weight);
      target.textContent = percentage(fresh.target);
      const hasActual = share && share.actual_share !== null && [...shares.values()].some((each) => each.contacts > 0);
      actual.textContent = hasActual ? percentage(share.actual_share) : t("none");
      count.textContent = number(share?.contacts ?? 0);
      if (!hasActual) put(picture, shareBand({ target_share: fresh.target, actual_share: null, low: null, high: null }, fresh.scale, percentage(fresh.target)));
      else {
        // The verdict is on the weights that are saved.
        if (!followsWeights || isChanged()) {
          put(picture, shareBand({ target_share: fresh.target, actual_share: share.actual_share, low: 0, high: 1 }, fresh.scale, percentage(share.actual_share)));
          return;
        }
        const verdict = share.actual_share > share.high ? t("aboveBand") : share.actual_share < share.low ? t("belowBand") : t("inBand");
        put(picture, shareBand({ ...share, target_share: fresh.target }, fresh.scale,
          t("shareRow", { name: fresh.name, target: percentage(fresh.target), actual: percentage(share.actual_share), verdict })),
          h("small", { class: verdict === t("inBand") ? "good" : "why" }, verdict));
      }
    };
    element.update(first);
    return element;
  }

  async function store() {
    if (isStoring) return;
    if (!draft.every((one) => isWhole(one.weight))) {
      complain(new Refusal(422, t("weightFault")));
      return;
    }
    const before = saved;
    const sent = draft.map((one) => ({ ...one }));
    isStoring = true;
    try {
      await write(sent);
      // What was typed meanwhile is still to be saved.
      tell(t("weightsSaved"), { undo: async () => {
        await write(before);
        discard();
      } });
    } catch (error) {
      complain(error);
    } finally {
      isStoring = false;
    }
    if (document.activeElement?.closest("tbody") === body) document.activeElement.blur();
    readShares().catch(complain);
  }

  /** Replaces all weights in one transaction, if they still are those that are shown as saved. */
  async function write(weights) {
    const present = (await get(`/sources/${id}`)).operator_weights.map(entry);
    if (JSON.stringify(present.map(pair)) !== JSON.stringify(saved.map(pair))) {
      meet(present);
      throw new Refusal(409, t("weightsElsewhere"));
    }
    await send("PUT", `/sources/${id}/distribution`, {
      operator_weights: weights.map((one) => ({ operator_id: one.operator_id, source_id: Number(id), weight: one.weight })),
    });
    saved = weights.map((one) => ({ ...one }));
    show();
  }

  const entry = (one) => ({ operator_id: one.operator_id, weight: one.weight, name: one.name ?? one.operator.name, is_active: one.is_active ?? one.operator.is_active });

  /** The weights are these now. What is being edited here stays, but for operators who are gone; else they are shown. */
  function meet(weights) {
    const wasChanged = isChanged();
    const before = new Map(saved.map(pair));
    saved = weights.map(entry);
    if (!wasChanged) draft = saved.map((one) => ({ ...one }));
    else {
      const present = new Map(saved.map((one) => [one.operator_id, one]));
      draft = draft.filter((one) => present.has(one.operator_id) || !before.has(one.operator_id))
        .map((one) => ({ ...one, is_active: present.get(one.operator_id)?.is_active ?? one.is_active }));
    }
    show();
  }

  function discard() {
    draft = saved.map((one) => ({ ...one }));
    for (const input of body.querySelectorAll("input")) input.removeAttribute("aria-invalid");
    document.activeElement?.blur?.();
    show();
  }

  async function addOperator() {
    try {
      const rest = (await operators({ fresh: true })).filter((each) => !draft.some((one) => one.operator_id === each.id));
      if (rest.length === 0) {
        complain(new Refusal(422, t("noMatch")));
        return;
      }
      const picker = operatorPicker(rest);
      const weight = h("input", { inputmode: "numeric", value: "1", required: true });
      const added = await ask({ title: t("addToSource"), action: t("add"), fields: [field(t("operator"), picker), field(t("weight"), weight)],
        act: () => ({ operator_id: Number(picker.value), weight: wholeNumber(weight.value, 1, mostWeight, t("weightFault")) }) });
      if (!added) return;
      const person = rest.find((each) => each.id === added.operator_id);
      draft = [...draft, { ...added, name: person.name, is_active: person.is_active }];
      show();
    } catch (error) {
      complain(error);
    }
  }

  const reread = gently(readShares, scope, 5000);
  onEvent((event) => {
    if (event.kind === "registered" || event.kind === "assigned" || event.kind === "transferred") reread();
  }, scope);
  const warn = (event) => {
    if (isChanged()) event.preventDefault();
  };
  addEventListener("beforeunload", warn);
  scope.end(() => removeEventListener("beforeunload", warn));
  return {
    element,
    async begin(weights) {
      saved = weights.map(entry);
      draft = saved.map((one) => ({ ...one }));
      await readShares();
    },
    meet,
    /** Of these alone shares are expected to follow the weights. */
    strategy(name) {
      followsWeights = name === "weighted_random" || name === "smooth_weighted";
      note.textContent = t(followsWeights ? "bandText" : "noBandText");
      show();
    },
    refresh: reread,
    isUnsaved: isChanged,
    moved() {
      period.value = parameters().get("period") ?? "week";
      readShares().catch(complain);
    },
  };
}
