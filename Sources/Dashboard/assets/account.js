// Whoever looks: the menu of who is signed in, its sessions and its password; and how a server that is open is closed.

import { Refusal, get, send } from "./api.js";
import { h, put } from "./dom.js";
import { newPassword, refusalOfPassword } from "./passwords.js";
import { mayLeave } from "./router.js";
import { people } from "./staff.js";
import { isAboutToClose, isOpen, isPerson, viewer } from "./viewer.js";
import { ask, complain, empty, field, nameIn, tell, when } from "./widgets.js";
import { t } from "./words.js";

/** A button with the name and the role, and what can be done about oneself; null where nobody is signed in. */
export function accountMenu() {
  if (!isPerson()) return null;
  const me = viewer();
  const items = h("div", { class: "items", id: "account-items", hidden: true, tabindex: -1 },
    h("p", null, h("strong", null, me.name), h("small", null, `${me.login} · ${t(`role_${me.role}`)}`)),
    h("a", { href: "/dashboard/sessions", onclick: () => close() }, t("mySessions")),
    h("button", { type: "button", onclick: () => {
      close();
      button.focus();
      changePassword();
    } }, t("changePassword")),
    h("button", { type: "button", onclick: signOut }, t("signOut")));
  const button = h("button", { type: "button", class: "me", "aria-expanded": "false", "aria-controls": "account-items",
    "aria-label": `${me.name}, ${t(`role_${me.role}`)}`, title: me.name, onclick: () => (items.hidden ? open() : close()) },
    h("span", { class: "initial", "aria-hidden": "true" }, [...me.name][0].toLocaleUpperCase()),
    h("span", { class: "named" }, me.name, h("small", null, t(`role_${me.role}`))));

  function open() {
    items.hidden = false;
    button.setAttribute("aria-expanded", "true");
    items.querySelector("a").focus();
  }

  function close() {
    items.hidden = true;
    button.setAttribute("aria-expanded", "false");
  }

  return h("div", { class: "account",
    onkeydown: (event) => {
      if (event.key !== "Escape" || items.hidden) return;
      event.stopPropagation();
      close();
      button.focus();
    },
    onfocusout: (event) => {
      if (!event.currentTarget.contains(event.relatedTarget)) close();
    } }, button, items);
}

async function signOut() {
  if (!await mayLeave()) return;
  try {
    await send("DELETE", "/session");
    // Nothing of what was seen is to be found by going back.
    location.replace("/sign-in");
  } catch (error) {
    complain(error);
  }
}

async function changePassword() {
  const current = h("input", { name: "current-password", type: "password", required: true, maxlength: 200, autocomplete: "current-password" });
  const login = h("input", { name: "login", autocomplete: "username", value: viewer().login, readonly: true, hidden: true });
  const { fields, password } = newPassword();
  const done = await ask({
    title: t("changePassword"), text: t("changePasswordText"), action: t("changePassword"), fields: [login, field(t("presentPassword"), current), fields],
    act: async () => {
      const chosen = password();
      try {
        return await send("PUT", "/me/password", { current_password: current.value, password: chosen });
      } catch (error) {
        throw error.code === "sign_in_failed" ? new Refusal(error.status, t("presentPasswordWrong"), error.code) : refusalOfPassword(error);
      }
    },
  });
  if (done) tell(t("passwordChanged"));
}

/** What a browser calls itself, as people would. */
export function browserName(agent) {
  if (!agent) return t("unknownBrowser");
  const first = (names) => names.find(([pattern]) => pattern.test(agent))?.[1];
  const browser = first([[/YaBrowser/, "Yandex"], [/Edg/, "Edge"], [/OPR/, "Opera"], [/SamsungBrowser/, "Samsung Internet"], [/Firefox/, "Firefox"],
    [/Chrom/, "Chrome"], [/Safari/, "Safari"]]);
  const system = first([[/Windows/, "Windows"], [/Android/, "Android"], [/iPhone|iPad/, "iOS"], [/Mac OS X/, "macOS"], [/CrOS/, "ChromeOS"], [/Linux/, "Linux"]]);
  if (!browser) return agent;
  return system ? t("browserOn", { browser, system }) : browser;
}

/** The browsers in which somebody is signed in. `changed` is called after one was signed out. */
export function sessionList(found, changed) {
  const end = async (one) => {
    try {
      await send("DELETE", `/sessions/${one.id}`);
      tell(t("sessionEnded"));
      await changed();
    } catch (error) {
      complain(error);
    }
  };
  return h("ul", { class: "sessions" }, found.map((one) => h("li", { "data-key": one.id },
    h("div", null, h("strong", { title: one.agent }, browserName(one.agent)), one.is_current && [" ", h("span", { class: "badge here" }, t("thisOne"))],
      h("small", null, t("signedInAt"), " ", when(one.created_at), " · ", t("usedAt"), " ", when(one.used_at))),
    h("button", { type: "button", class: "small", onclick: () => (one.is_current ? signOut() : end(one)) }, t(one.is_current ? "signOut" : "endSession")))));
}

export async function sessions() {
  const place = h("div", { class: "panel" });
  const others = h("button", { type: "button", onclick: async () => {
    const done = await ask({ title: t("endOthersAsk"), text: t("endOthersText"), action: t("endOthers"), isDangerous: true, act: () => send("DELETE", "/sessions") });
    if (!done) return;
    tell(t("othersEnded"));
    await read();
  } }, t("endOthers"));

  async function read() {
    const found = await get("/sessions");
    others.hidden = found.every((one) => one.is_current);
    put(place, sessionList(found, read));
  }

  await read();
  return { title: t("mySessions"), refresh: () => read().catch(() => {}), element: h("div", { class: "page" },
    h("header", { class: "head" }, h("h1", null, t("mySessions")), others), h("p", { class: "note" }, t("mySessionsText")), place) };
}

/** What a server that is open says on each page; null where access is closed. */
export function openNotice() {
  if (!isOpen()) return null;
  return h("div", { class: "open", role: "note" }, h("p", null, t("openToAll"), !isAboutToClose() && [" ", t("keptOpen")]),
    isAboutToClose() && h("button", { type: "button", class: "small", onclick: protect }, t("protect")));
}

/** While nobody could sign in afterwards nobody is invited and no key is made: either closes access. Null where somebody can. */
export async function protectFirst() {
  if (!isAboutToClose() || (await people({ fresh: true })).length > 0) return null;
  return empty(t("protectFirst"), t("protectFirstText"), h("button", { type: "button", class: "primary", onclick: protect }, t("protect")));
}

/** Makes whoever asks the first admin, on the spot: the link is followed at once, at the name by which this browser knows the server. */
async function protect() {
  const name = h("input", { required: true, maxlength: 200, autocomplete: "name" });
  const login = h("input", { required: true, maxlength: 200, autocomplete: "username", autocapitalize: "none", spellcheck: "false" });
  const made = await ask({ title: t("protectTitle"), text: t("protectText"), action: t("protectNow"), fields: [
    field(t("yourName"), name), field(t("login"), login, t("loginHint")), h("p", { class: "note" }, t("protectLost"))],
    act: () => send("POST", "/people/first", { name: nameIn(name), login: nameIn(login) }) });
  if (made) location.assign(`/sign-in${new URL(made.url).hash}`);
}
