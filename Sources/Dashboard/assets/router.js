// Addresses and pages: filters and open panels are in the URL, so that reload, back, forward and a link to a colleague work.

import { h, put } from "./dom.js";
import { ask } from "./widgets.js";
import { t } from "./words.js";

let pages = [];
let main = null;
let current = null;
let visits = 0;
/** Of what is shown. */
let address = "";
let tellShown = () => {};

/**
 * `routes` are `[pattern, open]`; `open` is given a scope and what the pattern's groups matched, and returns a page, at once or later:
 * `{title, element, moved?(), refresh?(), shown?(), isUnsaved?()}`. A page that has `moved` is kept when only the query changes. What is to
 * end with the page is given to `scope.end`, also by a page that then fails to open.
 */
export function start(element, routes, shown) {
  main = element;
  pages = routes;
  tellShown = shown;
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target) return;
    if (link.origin !== location.origin || !/^\/dashboard(\/|$)/.test(link.pathname)) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
  addEventListener("popstate", async () => {
    const wanted = location.pathname + location.search;
    if (location.pathname !== new URL(address, location.href).pathname && !await mayLeave()) {
      history.pushState(null, "", address);
      return;
    }
    if (location.pathname + location.search === wanted) show();
  });
  history.scrollRestoration = "manual";
  return show();
}

export async function go(target, { replace = false } = {}) {
  if (target === location.pathname + location.search) return show();
  const isElsewhere = new URL(target, location.href).pathname !== location.pathname;
  if (isElsewhere && !await mayLeave()) return;
  history.replaceState({ ...history.state, scroll: scrollY }, "");
  if (replace) history.replaceState(null, "", target);
  else history.pushState(null, "", target);
  return show();
}

/** Whether somebody has something on the page that is not saved. */
export function isUnsaved() {
  return current?.page?.isUnsaved?.() ?? false;
}

/** Whether the page may go away. */
export async function mayLeave() {
  if (!isUnsaved()) return true;
  return await ask({ title: t("leave"), text: t("leaveText"), action: t("leaveNow"), isDangerous: true }) === true;
}

/** The parameters of the present address. */
export function parameters() {
  return new URLSearchParams(location.search);
}

/** When the days `from` and `to` of the present address begin and end; null for what is no day. */
export function period() {
  const day = (name) => {
    const text = parameters().get(name) ?? "";
    const midnight = new Date(`${text}T00:00`);
    return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(midnight.getTime()) ? midnight : null;
  };
  const [from, to] = [day("from"), day("to")];
  if (to) to.setDate(to.getDate() + 1);
  return { from: from && from.toISOString(), to: to && new Date(to - 1).toISOString() };
}

/** Changes parameters of the present address; null removes one. */
export function adjust(changes, options) {
  const changed = parameters();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "" || value === undefined) changed.delete(name);
    else changed.set(name, value);
  }
  const search = String(changed);
  return go(location.pathname + (search ? `?${search}` : ""), options);
}

/** Opens the present page anew, as after a change of language. */
export function reopen() {
  return show({ anew: true });
}

async function show({ anew = false } = {}) {
  const path = location.pathname.replace(/\/$/, "") || "/dashboard";
  address = location.pathname + location.search;
  if (!anew && current?.path === path && current.page?.moved) {
    current.page.moved(parameters());
    return;
  }
  const visit = ++visits;
  current?.scope.close();
  const scope = newScope();
  current = { path, scope, page: null };
  main.setAttribute("aria-busy", "true");
  const slow = setTimeout(() => {
    if (visit === visits) put(main, h("p", { class: "loading", role: "status" }, t("loading")));
  }, 150);
  let page;
  try {
    page = await open(path, scope);
  } catch (error) {
    scope.close();
    // When the server is back, the page is, too.
    page = { title: t("failed"), element: trouble(error), refresh: error.isTemporary ? reopen : undefined };
  }
  clearTimeout(slow);
  if (visit !== visits) return;
  current.page = page;
  main.removeAttribute("aria-busy");
  put(main, page.element);
  // For whoever measures how long that took.
  performance.mark("shown");
  document.title = `${page.title} · Leads CRM`;
  tellShown(path, page);
  scrollTo(0, history.state?.scroll ?? 0);
  if (visit > 1 && !main.contains(document.activeElement)) main.focus({ preventScroll: true });
  page.shown?.();
}

function newScope() {
  const ends = [];
  return {
    isOver: false,
    end(work) {
      if (this.isOver) work();
      else ends.push(work);
    },
    close() {
      this.isOver = true;
      for (const work of ends.splice(0)) work();
    },
  };
}

function open(path, scope) {
  for (const [pattern, page] of pages) {
    const match = pattern.exec(path);
    if (match) return page(scope, ...match.slice(1));
  }
  return {
    title: t("noSuchPage"),
    element: h("section", { class: "empty" }, h("h1", null, t("noSuchPage")), h("a", { href: "/dashboard" }, t("toStart"))),
  };
}

/** What went wrong, with a way to try again. */
export function trouble(error, again = reopen) {
  if (!error.status && error.status !== 0) console.error(error);
  return h("section", { class: "empty", role: "alert" },
    h("h1", null, t({ 403: "notAllowed", 404: "notThere" }[error.status] ?? "failed")),
    h("p", null, error.message),
    h("button", { type: "button", onclick: () => again() }, t("tryAgain")));
}
