// The shell around the pages: sections, search, who is signed in, language, light and dark, keys, and whether the server is there.

import { accessPages } from "./access.js";
import { accountMenu, openNotice, sessions } from "./account.js";
import { onDenied, onReachability, query, signInAddress } from "./api.js";
import { audit } from "./audit.js";
import { contacts } from "./contacts.js";
import { h, put } from "./dom.js";
import { keys as accessKeys } from "./keys.js";
import { duplicates, lead, leads } from "./leads.js";
import { follow } from "./live.js";
import { memory, recall } from "./memory.js";
import { operator, operators } from "./operators.js";
import { overview } from "./overview.js";
import { people, person } from "./people.js";
import { go, isUnsaved, mayLeave, reopen, start, trouble } from "./router.js";
import { source, sources } from "./sources.js";
import { home, isPerson, may, meet } from "./viewer.js";
import { ask, tell } from "./widgets.js";
import { language, speak, t } from "./words.js";

/** `[address, text, key, right]` */
const allSections = [
  ["/dashboard", "overview", "o", "overview"], ["/dashboard/contacts", "contacts", "c", "contacts"], ["/dashboard/leads", "leads", "l", "leads"],
  ["/dashboard/operators", "operators", "p", "operators"], ["/dashboard/sources", "sources", "s", "sources"],
  ["/dashboard/people", "access", "a", "people"],
];
let sections = [];

/** `[pattern, page, right]` */
const pages = [
  [/^\/dashboard$/, overview, "overview"], [/^\/dashboard\/contacts$/, contacts, "contacts"],
  [/^\/dashboard\/leads$/, leads, "leads"], [/^\/dashboard\/leads\/duplicates$/, duplicates, "duplicates"], [/^\/dashboard\/leads\/(\d+)$/, lead, "leads"],
  [/^\/dashboard\/operators$/, operators, "operators"], [/^\/dashboard\/operators\/(\d+)$/, operator, "operators"],
  [/^\/dashboard\/sources$/, sources, "sources"], [/^\/dashboard\/sources\/(\d+)$/, source, "sources"],
  [/^\/dashboard\/people$/, people, "people"], [/^\/dashboard\/people\/(\d+)$/, person, "people"],
  [/^\/dashboard\/keys$/, accessKeys, "keys"], [/^\/dashboard\/audit$/, audit, "audit"],
];

let currentPage = null;
let currentPath = "/dashboard";
const main = h("main", { id: "content", tabindex: -1 });
const nav = h("nav");
const banner = h("div", { id: "banner", role: "alert", hidden: true });
const openPlace = h("div");
const header = h("header", { class: "shell" });

function build() {
  const search = h("input", { id: "search", type: "search", placeholder: t("search"), "aria-label": t("search"), autocomplete: "off" });
  const themes = ["auto", "light", "dark"];
  const other = language() === "ru" ? "en" : "ru";
  put(nav, sections.map(([path, name]) => h("a", { href: path }, t(name))), h("a", { href: "/docs", class: "docs" }, t("api")));
  nav.setAttribute("aria-label", t("menu"));
  put(header, h("a", { class: "brand", href: home() }, "Leads CRM"), nav,
    h("div", { class: "tools" },
      may("search") && h("form", { role: "search", onsubmit: (event) => {
        event.preventDefault();
        go(`/dashboard/contacts${query({ q: search.value.trim() })}`);
        search.blur();
      } }, search, h("kbd", { "aria-hidden": "true" }, "/")),
      h("button", { type: "button", class: "icon", lang: other, title: other === "ru" ? "Русский" : "English", onclick: async () => {
        if (!await mayLeave()) return;
        memory.set("language", other);
        speak(other);
        build();
        reopen();
      } }, other.toUpperCase()),
      h("button", { type: "button", class: "icon", "aria-label": t("theme"), title: t("theme"), onclick: () => {
        const next = themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length];
        document.documentElement.dataset.theme = next;
        memory.set("theme", next);
      } }, "◐"),
      h("button", { type: "button", class: "icon", "aria-label": t("keys"), title: t("keys"), onclick: showKeys }, "?"),
      accountMenu()));
  document.getElementById("skip").textContent = t("skip");
  put(banner, bannerText());
  put(openPlace, openNotice());
  mark(currentPath);
}

function mark(path) {
  const isBelow = (section) => path === section || path.startsWith(`${section}/`);
  for (const link of nav.querySelectorAll("a")) {
    const section = new URL(link.href).pathname;
    const isHere = section === "/dashboard" ? path === section
      : section === "/dashboard/people" ? accessPages.some(([name]) => isBelow(`/dashboard/${name}`)) : isBelow(section);
    if (isHere) {
      link.setAttribute("aria-current", "page");
      nav.scrollLeft = link.offsetLeft - nav.offsetLeft - nav.clientWidth / 3;
    }
    else link.removeAttribute("aria-current");
  }
}

function showKeys() {
  const line = (keys, words) => h("li", null, h("span", null, keys.map((key) => h("kbd", null, key))), h("span", null, words));
  ask({ title: t("shortcuts"), action: t("ok"), isOnlyRead: true, fields: [h("ul", { class: "keys" }, may("search") && line(["/"], t("key_search")),
    line(["↑", "↓"], t("key_rows")), line(["Enter"], t("key_enter")), line(["Esc"], t("key_escape")),
    line(["g", sections.map(([, , key]) => key).join(" ")], sections.map(([, name]) => t(name).toLocaleLowerCase()).join(", ")), line(["?"], t("key_help")))] });
}

// Who is signed in no more signs in again, and comes back to the same address.
let isLeaving = false;
let isSignedOut = false;

/** What was typed stays: then one signs in elsewhere and comes back. */
function holdsSomething() {
  return isUnsaved() || document.querySelector("dialog[open] :is(input, textarea, select)") !== null;
}

function leadToSignIn() {
  if (isLeaving || isSignedOut) return;
  if (holdsSomething()) {
    isSignedOut = true;
    put(banner, bannerText());
    banner.hidden = false;
    return;
  }
  isLeaving = true;
  location.assign(signInAddress());
}

function bannerText() {
  return isSignedOut ? [t("signedOutHere"), " ", h("a", { href: signInAddress(), target: "_blank", rel: "noopener" }, t("signIn"))] : t("offline");
}

// Whether that is to be done when nothing is typed any more.
let isOther = false;

function makeAnew() {
  if (isOther && !holdsSomething()) location.reload();
}

/** Looks whether the same one may do the same as before; if not, the page is made for whoever that is. */
async function meetAgain() {
  try {
    isOther = await meet() || isOther;
    makeAnew();
    if (!isSignedOut) return;
    isSignedOut = false;
    banner.hidden = true;
    put(banner, bannerText());
    currentPage?.refresh?.();
  } catch {
    // Whoever is away or signed out is told already.
  }
}

// The server is there as long as calls are answered and the stream is open; both have to fail for it to be gone for long.
let isCallable = true;
let isOpen = true;
let complaint = null;
let probe = null;

function judge() {
  if (isCallable && isOpen) {
    clearTimeout(complaint);
    complaint = null;
    if (!banner.hidden && !isSignedOut) {
      banner.hidden = true;
      tell(t("online"));
      currentPage?.refresh?.();
    }
  } else if (!isSignedOut) {
    // A stream that an instance ends as it stops is open again in a moment, at another.
    complaint ??= setTimeout(() => { banner.hidden = false; }, isCallable ? 2500 : 300);
    // Nobody else may be asking.
    if (!isCallable) probe ??= setTimeout(async () => {
      const answer = await fetch("/readyz", { cache: "no-store" }).catch(() => null);
      probe = null;
      isCallable = answer?.ok ?? false;
      judge();
    }, 2000);
  }
}

/** Where letters are not Latin, the key in that place counts. */
function isKey(event, letter) {
  return event.key.toLowerCase() === letter || (event.key > "~" && event.code === `Key${letter.toUpperCase()}`);
}

let leader = -Infinity;
function keys(event) {
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "Escape" && isTyping) event.target.blur();
  if (isTyping || event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (performance.now() - leader < 1200) {
    leader = -Infinity;
    const section = sections.find(([, , key]) => isKey(event, key));
    if (section) {
      event.preventDefault();
      go(section[0]);
    }
  } else if (isKey(event, "g")) leader = performance.now();
  else if (event.key === "/" || (event.code === "Slash" && !event.shiftKey)) {
    event.preventDefault();
    document.getElementById("search")?.focus();
  } else if (event.key === "?" || (event.code === "Slash" && event.shiftKey)) showKeys();
  else if ((event.key === "ArrowDown" || event.key === "ArrowUp") 
    && (document.activeElement === document.body || document.activeElement === main) && !main.querySelector("aside")) {
    const row = main.querySelector("tbody[data-walkable] tr[tabindex='0']");
    if (row) {
      event.preventDefault();
      row.focus();
    }
  }
}

/** Pages that are not for whoever looks lead to the first one that is. */
function guarded([pattern, page, right]) {
  return [pattern, may(right) ? page : () => {
    if (location.pathname !== "/dashboard") tell(t("notForRole"));
    go(home(), { replace: true });
  }];
}

async function open() {
  const app = document.getElementById("app");
  // What is offered should not be refused: somebody may have been given another role.
  onDenied((refusal) => (refusal.isSignedOut ? leadToSignIn() : meetAgain()));
  try {
    await meet();
  } catch (error) {
    if (!isLeaving) put(app, h("main", null, trouble(error, () => location.reload())));
    return;
  }
  sections = allSections.filter(([, , , right]) => may(right));
  build();
  put(app, header, openPlace, banner, main);
  document.addEventListener("keydown", keys);
  onReachability((isAnswered) => {
    isCallable = isAnswered;
    judge();
  });
  let openings = 0;
  follow((isStreaming) => {
    isOpen = isStreaming;
    // An open stream is an answer, too. What was missed before it was open again is read anew.
    if (isStreaming) isCallable = true;
    judge();
    if (!isStreaming || openings++ === 0) return;
    meetAgain();
    currentPage?.refresh?.();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && isSignedOut) meetAgain();
  });
  const own = isPerson() ? [[/^\/dashboard\/sessions$/, sessions]] : [];
  start(main, [...pages.map(guarded), ...own], (path, page) => {
    currentPath = path;
    currentPage = page;
    mark(path);
    makeAnew();
  });
}

recall();
open();
