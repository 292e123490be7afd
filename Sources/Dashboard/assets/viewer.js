// Who looks, and what is offered to whom. The server decides; what it would refuse is not offered.

import { get } from "./api.js";

const everybody = ["operator", "analyst", "supervisor", "admin"];
const overviewers = ["analyst", "supervisor", "admin"];
const workers = ["operator", "supervisor", "admin"];
const supervisors = ["supervisor", "admin"];
const admins = ["admin"];

/** The one table of it. An operator has its own contacts and their leads; to an analyst personal data are masked. */
const rights = {
  // Pages.
  overview: overviewers,
  contacts: everybody,
  leads: everybody,
  duplicates: overviewers,
  operators: overviewers,
  sources: overviewers,
  people: admins,
  keys: admins,
  audit: admins,
  // What is done on them.
  search: workers,
  work: workers,
  assign: supervisors,
  force: supervisors,
  changeLeads: supervisors,
  changeOperators: supervisors,
  changeSources: supervisors,
};

let me = null;

/** As `GET /api/v1/me` has it. */
export function viewer() {
  return me;
}

/** Asks the server who looks. Throws a `Refusal`. Returns whether somebody else did before, or may do other things than before. */
export async function meet() {
  const known = me;
  me = await get("/me");
  return known !== null && ["access", "kind", "id", "role", "operator_id"].some((each) => known[each] !== me[each]);
}

export function may(right) {
  if (!(right in rights)) throw new Error(`no right is called ${right}`);
  return rights[right].includes(me.role);
}

/** Whether one has signed in, so that there are sessions and a password. */
export function isPerson() {
  return me.kind === "person";
}

export function isOpen() {
  return me.access === "open";
}

/** Whether access is open until there is a person or a key. */
export function isAboutToClose() {
  return me.is_about_to_close;
}

/** The first page for whoever looks. */
export function home() {
  return may("overview") ? "/dashboard" : "/dashboard/contacts";
}
