// The pages about who may do what stand side by side.

import { h } from "./dom.js";
import { t } from "./words.js";

/** The names of the pages, which are those of their addresses, with the texts for them. */
export const accessPages = [["people", "people"], ["keys", "keysTitle"], ["audit", "audit"]];

export function accessTabs(shown) {
  return h("nav", { class: "tabs", "aria-label": t("access") }, accessPages.map(([name, title]) =>
    h("a", { href: `/dashboard/${name}`, "aria-current": name === shown ? "page" : null }, t(title))));
}
