// What is remembered of whoever looks, only here in the browser: the language, and light or dark.

import { speak } from "./words.js";

/** Without storage, nothing is remembered. */
export const memory = {
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

/** Speaks and looks as was chosen here before; else as the browser is set. */
export function recall() {
  const languages = (navigator.languages ?? [navigator.language]).map((each) => each.slice(0, 2));
  speak(memory.get("language") ?? languages.find((each) => each === "en" || each === "ru") ?? "en");
  document.documentElement.dataset.theme = memory.get("theme") ?? "auto";
}
