// The shell around the pages: sections, search, language, light and dark, keys, and whether the server is there.

import { onReachability, query } from "./api.js";
import { contacts } from "./contacts.js";
import { h, put } from "./dom.js";
import { duplicates, lead, leads } from "./leads.js";
import { follow } from "./live.js";
import { operator, operators } from "./operators.js";
import { overview } from "./overview.js";
import { go, mayLeave, reopen, start } from "./router.js";
import { source, sources } from "./sources.js";
import { ask, tell } from "./widgets.js";
import { language, speak, t } from "./words.js";

const sections = [
  ["/dashboard", "overview", "o"], ["/dashboard/contacts", "contacts", "c"], ["/dashboard/leads", "leads", "l"],
  ["/dashboard/operators", "operators", "p"], ["/dashboard/sources", "sources", "s"],
];

const pages = [
  [/^\/dashboard$/, overview], [/^\/dashboard\/contacts$/, contacts],
  [/^\/dashboard\/leads$/, leads], [/^\/dashboard\/leads\/duplicates$/, duplicates], [/^\/dashboard\/leads\/(\d+)$/, lead],
  [/^\/dashboard\/operators$/, operators], [/^\/dashboard\/operators\/(\d+)$/, operator],
  [/^\/dashboard\/sources$/, sources], [/^\/dashboard\/sources\/(\d+)$/, source],
];

/** What is remembered of the viewer, only here in the browser. Without storage, nothing is. */
const memory = {
  get(name) {
    try {
      return localStorage.getItem(`leads.${name}`);
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(`leads.${name}`, value);
    } catch {
      // Then it holds for this page.
    }
  },
};

let currentPage = null;
let currentPath = "/dashboard";
const main = h("main", { id: "content", tabindex: -1 });
const nav = h("nav");
const banner = h("div", { id: "banner", role: "alert", hidden: true });
const header = h("header", { class: "shell" });

function build() {
  document.documentElement.dataset.theme = memory.get("theme") ?? "auto";
  const search = h("input", { id: "search", type: "search", placeholder: t("search"), "aria-label": t("search"), autocomplete: "off" });
  const themes = ["auto", "light", "dark"];
  put(nav, sections.map(([path, name]) => h("a", { href: path }, t(name))), h("a", { href: "/docs", class: "docs" }, t("api")));
  nav.setAttribute("aria-label", t("menu"));
  put(header, h("a", { class: "brand", href: "/dashboard" }, "Leads CRM"), nav,
    h("form", { role: "search", onsubmit: (event) => {
      event.preventDefault();
      go(`/dashboard/contacts${query({ q: search.value.trim() })}`);
      search.blur();
    } }, search, h("kbd", { "aria-hidden": "true" }, "/")),
    h("div", { class: "tools" },
      h("button", { type: "button", lang: language() === "ru" ? "en" : "ru", onclick: async () => {
        if (!await mayLeave()) return;
        const chosen = language() === "ru" ? "en" : "ru";
        memory.set("language", chosen);
        speak(chosen);
        build();
        reopen();
      } }, language() === "ru" ? "English" : "Русский"),
      h("button", { type: "button", class: "icon", "aria-label": t("theme"), title: t("theme"), onclick: () => {
        const next = themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length];
        document.documentElement.dataset.theme = next;
        memory.set("theme", next);
      } }, "◐"),
      h("button", { type: "button", class: "icon", "aria-label": t("keys"), title: t("keys"), onclick: showKeys }, "?")));
  document.getElementById("skip").textContent = t("skip");
  put(banner, t("offline"));
  mark(currentPath);
}

function mark(path) {
  for (const link of nav.querySelectorAll("a")) {
    const section = new URL(link.href).pathname;
    const isHere = section === "/dashboard" ? path === section : path === section || path.startsWith(`${section}/`);
    if (isHere) {
      link.setAttribute("aria-current", "page");
      nav.scrollLeft = link.offsetLeft - nav.offsetLeft - nav.clientWidth / 3;
    }
    else link.removeAttribute("aria-current");
  }
}

function showKeys() {
  const line = (keys, words) => h("li", null, h("span", null, keys.map((key) => h("kbd", null, key))), h("span", null, words));
  ask({ title: t("shortcuts"), action: t("ok"), fields: [h("ul", { class: "keys" }, line(["/"], t("key_search")), line(["↑", "↓"], t("key_rows")),
    line(["Enter"], t("key_enter")), line(["Esc"], t("key_escape")), line(["g", sections.map(([, , key]) => key).join(" ")], t("key_go")), line(["?"], t("key_help")))] });
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
    if (!banner.hidden) {
      banner.hidden = true;
      tell(t("online"));
      currentPage?.refresh?.();
    }
  } else {
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
    document.getElementById("search").focus();
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

speak(memory.get("language") ?? (navigator.languages ?? [navigator.language]).map((each) => each.slice(0, 2)).find((each) => each === "en" || each === "ru") ?? "en");
build();
put(document.getElementById("app"), header, banner, main);
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
  if (isStreaming && openings++ > 0) currentPage?.refresh?.();
});
start(main, pages, (path, page) => {
  currentPath = path;
  currentPage = page;
  mark(path);
});
