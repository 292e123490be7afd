// The parts pages are made of.

import { h, put, svg } from "./dom.js";
import { Refusal, signInAddress } from "./api.js";
import { duration, fullTime, number, percentage, t, time, age } from "./words.js";

// Messages

const shownFor = 8000;

/** Says what happened, for a while; with `undo`, how to take it back. */
export function tell(text, { undo, bad = false } = {}) {
  const place = document.getElementById("messages");
  const message = h("div", { class: bad ? "message bad" : "message", role: bad ? "alert" : "status" }, h("span", null, text));
  const remove = () => message.remove();
  if (undo) {
    message.append(h("button", {
      type: "button",
      onclick: async () => {
        remove();
        try {
          const said = await undo();
          tell(typeof said === "string" ? said : t("undone"));
        } catch (error) {
          complain(error);
        }
      },
    }, t("undo")));
  }
  message.append(h("button", { type: "button", class: "icon", "aria-label": t("close"), onclick: remove }, "×"));
  place.append(message);
  while (place.children.length > 4) place.firstElementChild.remove();
  if (!bad) {
    let timer = setTimeout(remove, shownFor);
    message.addEventListener("pointerenter", () => clearTimeout(timer));
    message.addEventListener("focusin", () => clearTimeout(timer));
    message.addEventListener("pointerleave", () => { timer = setTimeout(remove, shownFor); });
  }
}

/** Says why something did not work. */
export function complain(error) {
  if (!(error instanceof Refusal)) console.error(error);
  tell(error.message || t("failed"), { bad: true });
}

// Dialogs

/**
 * Shows a form in a dialog. `fields` are elements; `act` is called on submitting and what it throws is shown in the dialog, which
 * stays open. Resolves to what `act` returned, or null when it was given up. What is only to be read offers nothing to give up, and
 * what cannot be shown again is not closed by Escape.
 */
export function ask({ title, text, fields = [], action, isDangerous = false, isOnlyRead = false, isShownOnce = false, act = () => true }) {
  return new Promise((resolve) => {
    let result = null;
    const fault = h("p", { class: "fault", role: "alert" });
    const submit = h("button", { type: "submit", class: isDangerous ? "danger" : "primary" }, action);
    const cancel = h("button", { type: "button", onclick: () => dialog.close() }, t("cancel"));
    const form = h("form", {
      onsubmit: async (event) => {
        event.preventDefault();
        if (submit.disabled) return;
        // What is under way cannot be given up any more.
        submit.disabled = cancel.disabled = true;
        put(fault);
        try {
          result = await act();
          dialog.close();
        } catch (error) {
          if (!(error instanceof Refusal)) console.error(error);
          // What was typed stays here while one signs in elsewhere.
          put(fault, error.message, error.isSignedOut && [" ", h("a", { href: signInAddress(), target: "_blank", rel: "noopener" }, t("signIn"))]);
        } finally {
          submit.disabled = cancel.disabled = false;
        }
      },
    },
    h("h2", null, title), text && h("p", null, text), ...fields, fault,
    h("div", { class: "buttons" }, !isOnlyRead && !isShownOnce && cancel, submit));
    const opener = document.activeElement;
    const dialog = h("dialog", { "aria-label": title }, form);
    dialog.addEventListener("cancel", (event) => {
      if (submit.disabled || isShownOnce) event.preventDefault();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      opener?.focus?.();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
    // Enter must not close what is shown once.
    const first = form.querySelector("input:not([readonly]), select, textarea:not([readonly])");
    (first ?? (isShownOnce ? form.querySelector("button") : submit)).focus();
  });
}

/** A labelled field. */
export function field(label, input, hint) {
  const id = input.id || `field-${Math.random().toString(36).slice(2)}`;
  input.id = id;
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  return h("div", { class: "field" }, h("label", { for: id }, label), input, hint && h("small", { id: `${id}-hint` }, hint));
}

export function option(value, text, isChosen = false) {
  return h("option", { value, selected: isChosen }, text);
}

/** Chooses one of the operators: those with room first, and how full each is. Of colleagues, operators know the names alone. */
export function operatorPicker(operators, { without } = {}) {
  const isKnown = (one) => one.max_load !== undefined;
  const room = (one) => (!isKnown(one) ? 0 : one.is_active ? one.max_load - one.current_load : -1e9);
  const sorted = operators.filter((one) => one.id !== without).sort((a, b) => room(b) - room(a) || a.name.localeCompare(b.name));
  return h("select", { required: true }, sorted.map((one) => option(one.id, !isKnown(one) ? one.name
    : `${one.name} · ${number(one.current_load)}/${number(one.max_load)}${one.is_active ? "" : ` · ${t("inactive")}`}`)));
}

/** A text to be taken along: a link, a secret, a command. */
export function copyable(label, text) {
  const isLong = text.includes("\n");
  const shown = isLong ? h("textarea", { readonly: true, rows: text.split("\n").length + 3, spellcheck: "false", value: text })
    : h("input", { readonly: true, spellcheck: "false", value: text });
  shown.addEventListener("focus", () => shown.select());
  shown.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
  const button = h("button", { type: "button", class: "small", onclick: async () => {
    try {
      // Browsers have a clipboard for pages that came by TLS or from this machine.
      if (navigator.clipboard) await navigator.clipboard.writeText(text);
      else {
        shown.select();
        document.execCommand("copy");
      }
      put(button, t("copied"));
    } catch {
      shown.select();
    }
  } }, t("copy"));
  button.setAttribute("aria-label", `${t("copy")}: ${label}`);
  const id = `copyable-${Math.random().toString(36).slice(2)}`;
  shown.id = id;
  return h("div", { class: "copyable" }, h("label", { for: id }, label), button, shown);
}

/** A link for whoever sees where it leads, and the text alone for others. */
export function linkIf(isSeen, href, text) {
  return isSeen ? h("a", { href, title: text }, text) : text;
}

/** The name typed into a field, or throws what is wrong with it. */
export function nameIn(input) {
  const name = input.value.trim();
  if (name === "" || [...name].length > 200) throw new Refusal(422, t("nameFault"));
  return name;
}

/** A whole number between bounds, or throws what is wrong with it. */
export function wholeNumber(text, least, most, fault) {
  const value = Number(String(text).replace(/[\s\u00a0]/g, ""));
  if (!Number.isInteger(value) || value < least || value > most) throw new Refusal(422, fault);
  return value;
}

// Pictures

/** How much of the limit is carried: a bar, and the same in words. */
export function loadBar({ current_load: load, max_load: limit, is_active: isActive = true }) {
  const bar = h("div", { class: "load", role: "img" }, h("div", { class: "track" }, h("div", { class: "fill" })), h("span", { class: "figures" }));
  bar.update = (one) => {
    const share = one.max_load === 0 ? 1 : one.current_load / one.max_load;
    const words = t("loadOf", { load: one.current_load, limit: one.max_load });
    const state = one.is_active === false ? "off" : share > 1 ? "over" : share >= 1 ? "full" : share >= 0.8 ? "high" : "";
    bar.className = `load ${state}`;
    bar.querySelector(".fill").style.setProperty("--share", Math.min(1, share));
    put(bar.querySelector(".figures"), `${number(one.current_load)}/${number(one.max_load)}`);
    bar.setAttribute("aria-label", share > 1 ? `${words}, ${t("over")}` : share === 1 ? `${words}, ${t("atLimit")}` : words);
  };
  bar.update({ current_load: load, max_load: limit, is_active: isActive });
  return bar;
}

/** Bars side by side, the last one being what is under way. */
export function columns(values, label) {
  const most = Math.max(1, ...values);
  const width = 100 / values.length;
  return svg("svg", { class: "columns", viewBox: "0 0 100 30", preserveAspectRatio: "none", role: "img", "aria-label": label },
    values.map((value, index) => {
      const height = value === 0 ? 0.4 : Math.max(1.2, (28 * value) / most);
      return svg("rect", { x: index * width + width * 0.12, y: 30 - height, width: width * 0.76, height, class: index === values.length - 1 ? "current" : null });
    }));
}

/** A target share, the band it may come out in by chance, and the actual one, on a scale from 0 to `most`. */
export function shareBand({ target_share: target, actual_share: actual, low, high }, most, label) {
  const at = (share) => 2 + (96 * Math.min(share, most)) / most;
  return svg("svg", { class: "band", viewBox: "0 0 100 12", preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("line", { x1: 2, x2: 98, y1: 6, y2: 6, class: "axis" }),
    low !== null && high !== null && svg("rect", { x: at(low), y: 2, width: Math.max(0.6, at(high) - at(low)), height: 8, class: "interval" }),
    svg("line", { x1: at(target), x2: at(target), y1: 1, y2: 11, class: "target" }),
    actual !== null && svg("line", { x1: at(actual), x2: at(actual), y1: 3, y2: 9, class: actual < low || actual > high ? "actual outside" : "actual" }));
}

/** The chance each candidate had, who was chosen, and why others could not be. */
export function candidateChart(candidates, chosenID) {
  const most = Math.max(0.01, ...candidates.map((one) => one.probability ?? 0));
  return h("ul", { class: "candidates" }, candidates.map((one) => h("li", { class: one.operator_id === chosenID ? "chosen" : one.eligible ? null : "out" },
    h("span", { class: "name" }, one.name, one.operator_id === chosenID && h("strong", null, ` · ${t("drawn")}`)),
    h("span", { class: "chance", "aria-hidden": "true" }, h("span", { style: { "--share": (one.probability ?? 0) / most } })),
    h("span", { class: "figures" },
      one.eligible
        ? one.probability === null ? t("loadOf", { load: one.load, limit: one.max_load }) : t("chance", { n: percentage(one.probability) })
        : t(one.excluded === "inactive" ? "inactive" : one.excluded === "at_limit" ? "atLimit" : "excluded")))));
}

/** A moment at a glance; all of it on pointing at it. */
export function when(text) {
  return text ? h("time", { datetime: text, title: fullTime(text) }, time(text)) : t("none");
}

/** How long ago, kept up to date by `tick`. */
export function since(text) {
  const element = h("time", { datetime: text, title: fullTime(text), class: "since" });
  element.tick = () => put(element, duration(Math.max(0, age(text))));
  element.tick();
  return element;
}

export function tick(element) {
  for (const one of element.querySelectorAll("time.since")) one.tick?.();
}

export function status(contact) {
  return h("span", { class: `status ${contact.status}` }, t(`status_${contact.status}`));
}

/** What to do where there is nothing. */
export function empty(title, text, ...actions) {
  return h("div", { class: "empty" }, h("h2", null, title), text && h("p", null, text), actions);
}

/** A switch that says what it is and shows what it became only when that is so. */
export function toggle(label, isOn, change) {
  const button = h("button", {
    type: "button", role: "switch", class: "switch", "aria-checked": String(isOn), "aria-label": label,
    onclick: async () => {
      const wanted = button.getAttribute("aria-checked") !== "true";
      button.setAttribute("aria-checked", String(wanted));
      button.disabled = true;
      try {
        await change(wanted);
      } catch (error) {
        button.setAttribute("aria-checked", String(!wanted));
        complain(error);
      } finally {
        button.disabled = false;
      }
    },
  });
  return button;
}

/** Lets arrows go from row to row of a table's body, and Enter follow the row's first link. */
export function walkable(body) {
  body.dataset.walkable = "";
  body.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    if (!row || event.target !== row) return;
    const to = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling, Home: body.firstElementChild, End: body.lastElementChild }[event.key];
    if (to) {
      event.preventDefault();
      focusRow(body, to);
    } else if (event.key === "Enter") row.querySelector("a[href]")?.click();
    else if (event.key === " ") {
      const box = row.querySelector("input[type=checkbox]");
      if (box) {
        event.preventDefault();
        box.click();
      }
    }
  });
  body.addEventListener("focusin", (event) => {
    const row = event.target.closest("tr");
    if (event.target === row) for (const other of body.children) other.tabIndex = other === row ? 0 : -1;
  });
}

export function focusRow(body, row) {
  for (const other of body.children) other.tabIndex = other === row ? 0 : -1;
  row.focus();
}

/**
 * A table with a scrolling frame of its own, so that the page never scrolls sideways. A head that begins with
 * `#` is one of numbers, and one with `~` is left out on a phone, like cells of the
 * class `minor`.
 */
export function table(caption, heads, body) {
  const head = (one) => typeof one === "string" && one.startsWith("#") ? h("th", { scope: "col", class: "figure" }, one.slice(1))
    : typeof one === "string" && one.startsWith("~") ? h("th", { scope: "col", class: "minor" }, one.slice(1))
    : one === "" ? h("td", null) : h("th", { scope: "col" }, one);
  return h("div", { class: "table" }, h("table", null, h("caption", null, caption), h("thead", null, h("tr", null, heads.map(head))), body));
}
