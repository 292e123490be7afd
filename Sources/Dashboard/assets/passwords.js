// Choosing a password: twice the same, by a rule that is said beforehand.

import { Refusal } from "./api.js";
import { h } from "./dom.js";
import { field } from "./widgets.js";
import { t } from "./words.js";

const shortest = 10;
const longest = 200;

/** What the server says is weak about a password, in the viewer's language. */
const weaknesses = {
  "A password has at least 10 characters": "passwordShort",
  "A password has at most 200 characters": "passwordLong",
  "A password must not be made of the login or the name": "passwordNames",
  "A password must not be one character or one row of keys again and again": "passwordRow",
  "A password must not be one of those that are tried first": "passwordGuessable",
};

/** Two fields, and `password()`, which throws what is wrong with what is in them. */
export function newPassword() {
  const input = () => h("input", { type: "password", required: true, autocomplete: "new-password", maxlength: 1000 });
  const [first, second] = [input(), input()];
  first.name = "new-password";
  second.name = "repeat-password";
  return {
    fields: [field(t("newPassword"), first, t("passwordRule")), field(t("repeatPassword"), second)],
    password() {
      const length = [...first.value].length;
      if (length < shortest) throw new Refusal(422, t("passwordShort"));
      if (length > longest) throw new Refusal(422, t("passwordLong"));
      if (first.value !== second.value) throw new Refusal(422, t("passwordsDiffer"));
      return first.value;
    },
  };
}

/** A refusal as it is shown beside those fields. */
export function refusalOfPassword(error) {
  const weakness = Object.keys(weaknesses).find((each) => error.message.includes(each));
  return weakness === undefined ? error : new Refusal(error.status, t(weaknesses[weakness]), error.code);
}
