// What programs prove themselves by: made, given another secret, revoked. A secret is shown once.

import { accessTabs } from "./access.js";
import { protectFirst } from "./account.js";
import { Refusal, get, send } from "./api.js";
import { h, keep, put, whenChanged } from "./dom.js";
import { adjust, parameters } from "./router.js";
import { sourceName, sources } from "./staff.js";
import { ask, complain, copyable, empty, field, nameIn, option, table, tell, walkable, when, wholeNumber } from "./widgets.js";
import { t } from "./words.js";

const roles = ["intake", "analyst", "supervisor", "admin"];
const mostRate = 100_000;
const graces = { now: 0, hour: 3600, day: 86_400, week: 604_800 };

export async function keys() {
  let everything = [];
  const body = h("tbody", null);
  walkable(body);
  const list = table(t("keysTitle"), [t("name"), `~${t("sources")}`, `~${t("rate")}`, `~${t("made")}`, ""], body);
  const revoked = h("input", { type: "checkbox", checked: parameters().has("revoked"),
    onchange: () => adjust({ revoked: revoked.checked ? "1" : null }, { replace: true }) });
  const filters = h("div", { class: "filters" }, h("label", { class: "check" }, revoked, t("showRevoked")));
  const place = h("div");
  const making = h("button", { type: "button", class: "primary", onclick: add }, t("makeKey"));
  const element = h("div", { class: "page" }, accessTabs("keys"), h("header", { class: "head" }, h("h1", null, t("keysTitle")), making), filters, place);

  async function read() {
    const first = await protectFirst();
    making.hidden = filters.hidden = first !== null;
    if (first) {
      put(place, first);
      return;
    }
    const found = await get("/keys");
    everything = await Promise.all(found.map(async (one) => ({ ...one,
      sources: one.source_ids === null ? t("allSources") : (await Promise.all(one.source_ids.map(sourceName))).join(", ") })));
    show();
  }

  function show() {
    revoked.checked = parameters().has("revoked");
    filters.hidden = !everything.some((one) => one.revoked_at);
    const shown = everything.filter((one) => !one.revoked_at || revoked.checked);
    if (shown.length === 0) {
      put(place, empty(t("noKeys"), t("noKeysText")));
      return;
    }
    keep(body, shown, (one) => one.id, (one) => row(one, read));
    if (!body.querySelector("tr[tabindex='0']")) body.firstElementChild.tabIndex = 0;
    if (place.firstElementChild !== list) put(place, list);
  }

  async function add() {
    const made = await make().catch(complain);
    if (made) await read();
  }

  await read();
  return { title: t("keysTitle"), element, refresh: () => read().catch(() => {}), moved: show };
}

function row(one, changed) {
  const line = h("tr", { tabindex: -1 });
  line.update = whenChanged((key) => {
    line.classList.toggle("off", key.revoked_at !== null);
    const button = (name, work, kind = "") => h("button", { type: "button", class: `small ${kind}`, "aria-label": `${t(name)}: ${key.name}`,
      onclick: () => work(key).then((done) => done && changed()).catch(complain) }, t(name));
    put(line, h("th", { scope: "row" }, key.name, h("small", null, t(`role_${key.role}`)), h("small", null, `crm_${key.id}_…`)),
      h("td", { class: "minor text" }, key.sources), h("td", { class: "minor" }, key.rate === null ? t("noLimit") : t("perSecond", { n: key.rate })),
      h("td", { class: "minor" }, when(key.created_at), key.rotated_at && h("small", null, t("rotatedAt"), " ", when(key.rotated_at))),
      h("td", null, key.revoked_at ? h("span", null, t("revoked"), " ", when(key.revoked_at))
        : h("div", { class: "buttons" }, button("rotate", rotate), button("revoke", revoke, "danger"))));
  });
  line.update(one);
  return line;
}

async function make() {
  const places = await sources({ fresh: true });
  const name = h("input", { required: true, maxlength: 200 });
  const about = h("small", { class: "about" });
  const role = h("select", { onchange: explain }, roles.map((each) => option(each, t(`role_${each}`))));
  const boxes = places.map((one) => h("input", { type: "checkbox", value: one.id }));
  const chosen = h("div", { class: "boxes", hidden: true, role: "group", "aria-label": t("sources") },
    places.map((one, index) => h("label", { class: "check" }, boxes[index], one.name)));
  const reach = h("select", { onchange: () => { chosen.hidden = reach.value === "all"; } }, option("all", t("allSources")), option("some", t("someSources")));
  const rate = h("input", { inputmode: "numeric", placeholder: t("noLimit") });

  function explain() {
    put(about, t(`about_key_${role.value}`));
    // Whoever may do everything is limited to nothing.
    reach.disabled = role.value === "admin";
    if (reach.disabled) reach.value = "all";
    chosen.hidden = reach.value === "all";
  }

  explain();
  const made = await ask({ title: t("makeKeyTitle"), action: t("makeKey"),
    fields: [field(t("name"), name, t("keyNameHint")), field(t("role"), role), about, field(t("sources"), reach), chosen, field(t("rate"), rate, t("rateHint"))],
    act: () => {
      const ids = boxes.filter((box) => box.checked).map((box) => Number(box.value));
      if (reach.value === "some" && ids.length === 0) throw new Refusal(422, t("noSourceChosen"));
      return send("POST", "/keys", { name: nameIn(name), role: role.value, source_ids: reach.value === "all" ? null : ids,
        rate: rate.value.trim() === "" ? null : wholeNumber(rate.value, 1, mostRate, t("rateFault")) });
    } });
  if (!made) return null;
  await showSecret(made, places);
  return made;
}

/** The secret, which nobody can show again, and a call to try it with. */
function showSecret(key, places) {
  const source = key.source_ids?.[0] ?? places[0]?.id ?? 1;
  const authorization = `-H 'Authorization: Bearer ${key.key}'`;
  const call = key.role === "intake"
    ? [`curl ${location.origin}/api/v1/contacts \\`, `  ${authorization} \\`, "  -H 'Content-Type: application/json' \\",
      `  -d '{"source_id": ${source}, "lead_external_id": "test-1", "message": "Hello"}'`]
    : [`curl '${location.origin}/api/v1/contacts?limit=5' \\`, `  ${authorization}`];
  return ask({ title: t("secretOf", { name: key.name }), text: t("secretText"), action: t("secretKept"), isShownOnce: true,
    fields: [copyable(t("secret"), key.key), copyable(t(key.role === "intake" ? "tryRegistering" : "tryListing"), call.join("\n"))] });
}

async function rotate(key) {
  const grace = h("select", null, Object.entries(graces).map(([name, seconds]) => option(seconds, t(`grace_${name}`))));
  const made = await ask({ title: t("rotateAsk", { name: key.name }), text: t("rotateText"), action: t("rotate"), fields: [field(t("grace"), grace)],
    act: () => send("POST", `/keys/${key.id}/rotate`, { grace_seconds: Number(grace.value) }) });
  if (made) await showSecret(made, await sources());
  return made;
}

async function revoke(key) {
  const done = await ask({ title: t("revokeAsk", { name: key.name }), text: t("revokeText"), action: t("revoke"), isDangerous: true,
    act: () => send("DELETE", `/keys/${key.id}`) });
  if (done) tell(t("revokedX", { name: key.name }));
  return done;
}
