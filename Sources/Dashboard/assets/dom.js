// Builds elements. Texts become text nodes and nothing is ever parsed as HTML, so no value can turn into markup.

const svgNamespace = "http://www.w3.org/2000/svg";

/** An element: `h("a", {class: "name", href: …, onclick: …}, "text", child, …)`. What is null, undefined or false is left out. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(svgNamespace, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (name === "style") for (const [key, of] of Object.entries(value)) element.style.setProperty(key, of);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Replaces all children. */
export function put(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/**
 * Makes the children of an element those of the items, in order, keeping the element of an item that stays: focus, selection and
 * what somebody types survive. `make(item)` returns an element with an `update(item)` method of its own.
 */
export function keep(element, items, key, make) {
  const known = new Map([...element.children].map((child) => [child.dataset.key, child]));
  const wanted = new Set(items.map((item) => String(key(item))));
  // First, because whoever is moved loses the focus.
  for (const [name, child] of known) if (!wanted.has(name)) child.remove();
  let place = element.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let child = known.get(name);
    if (child) child.update?.(item);
    else {
      child = make(item);
      child.dataset.key = name;
    }
    if (child === place) place = place.nextElementSibling;
    else element.insertBefore(child, place);
  }
}

/** The work, done only when what it depends on has changed: an element that is made anew takes the focus and a click along. */
export function whenChanged(work) {
  let last;
  return (...values) => {
    const now = JSON.stringify(values);
    if (now === last) return;
    last = now;
    work(...values);
  };
}
