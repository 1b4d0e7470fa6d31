// Keys of the review and of the grid of a taxon, which everybody can set for themselves; they are kept in the browser.

import { ask, h } from "./dom.js";

export const ACTIONS = {
  next: ["Next", "j"], back: ["Back", "k"], accept: ["Accept, or sound", "a"], reject: ["Reject, then a digit for the reason", "r"],
  relabel: ["Relabel what is chosen", "l"], draw: ["Draw the box", "b"], undo: ["Undo", "u"], open: ["Open the specimen", "o"], help: ["Keys", "?"],
};

export function keys() {
  let own = {};
  try { own = JSON.parse(localStorage.getItem("desk-keys") ?? "{}"); } catch { /* kept by nobody */ }
  return Object.fromEntries(Object.entries(ACTIONS).map(([name, [, usual]]) => [name, typeof own[name] === "string" && own[name] ? own[name] : usual]));
}

// The action of a key press; null where somebody types.
export function actionOf(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return null;
  return Object.entries(keys()).find(([, key]) => key === event.key)?.[0] ?? null;
}

export async function setKeys() {
  const now = keys();
  const values = await ask("Keys", "While a box is drawn: arrows move it, Shift and arrows move its right and lower edge, Enter saves it, Escape leaves it.",
    Object.entries(ACTIONS).map(([name, [title]]) => h("label", {}, `${title} `, h("input", { name, value: now[name], maxlength: "1", size: "2", required: true }))), "Use these");
  if (!values) return;
  const wanted = Object.values(values);
  if (new Set(wanted).size !== wanted.length) { await ask("Keys", "Two actions have the same key; nothing was changed.", [], "Understood"); return; }
  if (wanted.some((key) => /^[0-9 ]$/.test(key))) { await ask("Keys", "Digits choose a reason and Space chooses a specimen, so neither can be a key; nothing was changed.", [], "Understood"); return; }
  localStorage.setItem("desk-keys", JSON.stringify(values));
}
