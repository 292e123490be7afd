// The way in: with a login and a password, or by a link with which one chooses a password.

import { Refusal, get, query, send } from "./api.js";
import { h, put } from "./dom.js";
import { memory, recall } from "./memory.js";
import { newPassword, refusalOfPassword } from "./passwords.js";
import { field } from "./widgets.js";
import { duration, language, speak, t } from "./words.js";

const main = document.querySelector("main");
/** Where one signs in at the company's provider; empty without one. */
const { provider } = document.body.dataset;
let token = takeToken();
let refusal = takeRefusal();

/** What the link carries behind its `#`, which is gone from the address and from the browser's history at once. */
function takeToken() {
  const found = location.hash.slice(1);
  if (found !== "") history.replaceState(null, "", location.pathname + location.search);
  return found;
}

/** Why somebody who comes back from the provider was not let in; said once. */
function takeRefusal() {
  const at = new URLSearchParams(location.search);
  const code = at.get("refused");
  if (code === null) return null;
  at.delete("refused");
  history.replaceState(null, "", `${location.pathname}?${at}`);
  const name = ["forbidden", "provider_unavailable"].includes(code) ? code : "sign_in_failed";
  return () => new Refusal(0, t(`refused_${name}`), code);
}

/** Where to go on: a page of this server, whatever the address says. */
function destination() {
  const wanted = new URLSearchParams(location.search).get("to") ?? "";
  if (/^\/(?![/\\])/.test(wanted) && URL.canParse(wanted, location.origin)) {
    const url = new URL(wanted, location.origin);
    // The whole of it, because a browser may read a path that begins with two slashes as another server.
    if (url.origin === location.origin && url.pathname !== location.pathname) return url.href;
  }
  return `${location.origin}/dashboard`;
}

function show(title, ...children) {
  document.title = `${title} · Leads CRM`;
  const other = language() === "ru" ? "en" : "ru";
  put(main, h("section", { class: "panel" }, h("p", { class: "brand" }, "Leads CRM"), h("h1", null, title), children),
    h("button", { type: "button", class: "small", lang: other, onclick: () => {
      memory.set("language", other);
      speak(other);
      begin();
    } }, other === "ru" ? "Русский" : "English"));
  main.removeAttribute("aria-busy");
  main.querySelector("input:not([readonly]):placeholder-shown, input:not([readonly])")?.focus();
}

/** A form whose fault is said beside it. `act` throws a `Refusal`. */
function form(fields, action, act) {
  const fault = h("p", { class: "fault", role: "alert" });
  const submit = h("button", { type: "submit", class: "primary" }, action);
  let clock = null;
  const element = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    clearInterval(clock);
    submit.disabled = true;
    put(fault);
    try {
      await act();
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error);
      complain(error);
    } finally {
      submit.disabled = false;
    }
  } }, fields, fault, submit);

  function complain(error) {
    if (error.status !== 429) {
      put(fault, error.message);
      return;
    }
    const end = Date.now() + 1000 * (error.retryAfter ?? 60);
    // Said once; what runs on is only seen.
    const left = h("span", { "aria-live": "off" });
    const tick = () => {
      const seconds = Math.ceil((end - Date.now()) / 1000);
      put(left, duration(Math.max(0, seconds)));
      if (seconds <= 0) {
        clearInterval(clock);
        put(fault);
      }
    };
    put(fault, t("tooManyAttempts"), " ", left);
    tick();
    clock = setInterval(tick, 1000);
  }

  return { element, complain };
}

function providerLink() {
  const wanted = new URL(destination());
  return h("p", { class: "provider" }, h("span", null, t("or")),
    h("a", { class: "button", href: `${provider}${query({ to: wanted.pathname + wanted.search })}` }, t("signInAtProvider")));
}

async function askForPassword() {
  let trouble = refusal?.();
  refusal = null;
  try {
    const me = await get("/me");
    if (me.access !== "open") {
      location.replace(destination());
      return;
    }
    show(t("openTitle"), h("p", null, t("openText")), h("a", { class: "button primary", href: destination() }, t("goOn")));
    return;
  } catch (error) {
    if (error.status !== 401) trouble = error;
  }
  const login = h("input", { name: "login", required: true, maxlength: 200, autocomplete: "username", autocapitalize: "none", spellcheck: "false" });
  const password = h("input", { name: "password", type: "password", required: true, maxlength: 200, autocomplete: "current-password" });
  const { element, complain } = form([field(t("login"), login), field(t("password"), password)], t("signIn"), async () => {
    try {
      await send("POST", "/session", { login: login.value.trim(), password: password.value });
    } catch (error) {
      // Of what is too short to be anybody's the server says so as of a form; it is wrong like any other.
      throw error.status === 401 || error.status === 422 ? new Refusal(error.status, t("signInFailed"), error.code) : error;
    }
    location.replace(destination());
  });
  show(t("signingIn"), element, provider !== "" && providerLink(), h("p", { class: "note" }, t("forgotten")));
  if (trouble) complain(trouble);
}

async function welcome() {
  let person;
  try {
    person = await send("POST", "/session/link", { token });
  } catch (error) {
    if (error.status === 404 || error.status === 422) refuseLink();
    else show(t("failed"), h("p", { class: "fault", role: "alert" }, error.message), h("button", { type: "button", class: "primary", onclick: begin }, t("tryAgain")));
    return;
  }
  const { fields, password } = newPassword();
  // Whoever keeps passwords for the person learns by it whose this is.
  const login = h("input", { name: "login", readonly: true, autocomplete: "username", value: person.login });
  const { element } = form([field(t("login"), login), fields], t("choosePassword"), async () => {
    try {
      await send("POST", "/session/password", { token, password: password() });
    } catch (error) {
      if (error.status === 404) {
        refuseLink();
        return;
      }
      throw refusalOfPassword(error);
    }
    location.replace(`${location.origin}/dashboard`);
  });
  show(t("welcome", { name: person.name }), h("p", null, t("welcomeText")), element);
}

function refuseLink() {
  show(t("linkInvalid"), h("p", { role: "alert" }, t("linkInvalidText")), h("button", { type: "button", onclick: () => {
    token = "";
    begin();
  } }, t("signIn")));
}

function begin() {
  if (token === "") askForPassword();
  else welcome();
}

// A link that is opened where this page is open already brings a token and no page.
addEventListener("hashchange", () => {
  token = takeToken() || token;
  begin();
});
recall();
begin();
