// Buttons and forms that decide. Nothing is saved without one of them, and each can be undone.

import { ask, data, h, number, say } from "./dom.js";
import { decide, details, opposed, stateOf, store, takeAway, target } from "./store.js";

const WITHOUT = ["checked", "spelling", "synonym", "deeper_label", "contested_label"];
let lastReason = "not_clearly_visible";

export const reasonField = (chosen) => h("label", {}, "Reason ",
  h("select", { name: "reason" }, Object.entries(store.words.reasons).map(([name, meaning]) =>
    h("option", { value: name, selected: name === chosen }, meaning))));
export const noteField = () => h("label", {}, "Note ", h("input", { name: "note", maxlength: "500", autocomplete: "off" }));

export const rejecting = () => Object.entries(store.words.reasons).filter(([name]) => !WITHOUT.includes(name));
export const last = { get reason() { return lastReason; }, set reason(name) { lastReason = name; } };

// Saves lines, and says so. Asks first where another curator has said something else.
export async function save(lines, said) {
  const others = opposed(lines);
  if (others.length) {
    const names = [...new Set(others.map((one) => one.curator))].join(", ");
    const agreed = await ask("Another curator decided otherwise",
      `${names} has said "${[others[0].action, others[0].field, others[0].value].filter(Boolean).join(" ")}". Of lines that contradict each other none counts. Save yours all the same?`, [], "Save mine too");
    if (!agreed) return false;
  }
  try {
    await decide(lines, said);
    say(`Saved: ${said}`);
    return true;
  } catch (error) {
    say(`Not saved: ${error.message}`, true);
    return false;
  }
}

// The line by which a doubt is accepted, kept or rejected.
export function answer(row, action, cells = {}) {
  const rule = store.doubts.get("rule", row);
  const lifts = action === "accept" && store.words.liftable.includes(rule);
  const field = action === "reject" ? null : rule;
  return { ...target(row), action: action === "accept" && !lifts ? "keep" : action, field, reason: "checked",
    evidence: store.doubts.get("evidence", row), ...cells };
}

export const nameOf = (row) => store.doubts.get("processid", row) ?? store.doubts.get("name", row) ?? store.doubts.get("group", row);
export const accepts = (row) => store.words.liftable.includes(store.doubts.get("rule", row));

// Whether accepting would do nothing: without a box there is no crop to release.
export const lacksBox = (row) => store.doubts.get("rule", row) === "IMAGE_STATUS" && details(row) !== null && details(row)?.x0 === null;

// Accept (or keep) and reject of one doubt.
export function buttons(row) {
  const name = nameOf(row);
  const isSpecimen = Boolean(store.doubts.get("processid", row));
  const yes = accepts(row) ? "Accept" : "Sound";
  return h("span", { class: "buttons" },
    h("button", { type: "button", title: accepts(row) ? "Release it although it fails this gate" : "Nothing has to change",
      onclick: () => (lacksBox(row) ? say("There is no box, so nothing can be released: draw one first", true)
        : save([answer(row, "accept")], `${yes.toLowerCase()} ${name}`)) }, yes),
    isSpecimen && h("button", { type: "button", title: "Keep the specimen out of releases", onclick: () => reject([row]) }, "Reject"));
}

export async function reject(rows) {
  const values = await ask(rows.length === 1 ? `Reject ${nameOf(rows[0])}?` : `Reject ${number(rows.length)} specimens?`,
    "They stay out of releases until the line is taken away.", [reasonField(lastReason), noteField()], "Reject");
  if (!values) return false;
  lastReason = values.reason;
  const cells = { reason: values.reason, note: values.note || null };
  return save(unique(rows.map((row) => answer(row, "reject", cells))), `reject ${rows.length === 1 ? nameOf(rows[0]) : `${number(rows.length)} specimens`}`);
}

export async function acceptAll(rows) {
  const values = await ask(`Settle ${number(rows.length)} doubts?`,
    "Gates that can be opened are opened; of other doubts nothing changes. Each gets a line of its own.",
    [reasonField("checked"), noteField()], `Settle ${number(rows.length)}`);
  if (!values) return false;
  const cells = { reason: values.reason, note: values.note || null };
  return save(unique(rows.map((row) => answer(row, "accept", cells))), `settle ${number(rows.length)} doubts`);
}

const unique = (lines) => [...new Map(lines.map((line) => [JSON.stringify({ ...line, evidence: null }), line])).values()];

// Who decided what, and the buttons that take own lines away.
export function stateLine(row) {
  const { state, by, on, why, as, lines } = stateOf(row);
  if (state === "open") return h("span", { class: "state open" }, "open");
  return h("span", { class: `state ${state}` },
    state === "changed" ? "look again: the evidence has changed. " : "", data(as, 80), " by ", data(by, 40), `, ${on}: `, data(why, 120), " ",
    lines.filter((id) => store.states.lines[id]?.own).slice(0, 1).map((id) => awayButton(id)));
}

export const awayButton = (id) => h("button", { type: "button", class: "small", onclick: async () => {
  try {
    await takeAway([id], "take a line away");
    say("Taken away");
  } catch (error) { say(`Not taken away: ${error.message}`, true); }
} }, "Take away");

// Lines of decisions as a table.
export function linesTable(caption, entries, more = () => []) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, h("table", {}, h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ["About", "Decision", "Reason", "Curator", "Date", "What became of it", "Undo"].map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, entries.map(([id, one]) => h("tr", {},
      h("td", {}, one.processid ? h("a", { href: `#/specimen/${encodeURIComponent(one.processid)}` }, data(one.processid)) : data(one.group ?? [one.rank, one.name].filter(Boolean).join(" "), 80)),
      h("td", {}, data([one.action, one.field, one.value].filter(Boolean).join(" "), 120)),
      h("td", {}, data([one.reason, one.note].filter(Boolean).join(": "), 160)),
      h("td", {}, data(one.curator, 40)), h("td", { class: "date" }, data(one.date)),
      h("td", {}, one.problem ? h("span", { class: "wrong" }, data(one.problem, 300)) : more(one)),
      h("td", {}, store.states.lines[id]?.own ? awayButton(id) : ""))))));
}

// A form that sets a label or a field of a specimen, its barcode or its BIN.
export function relabelForm(scopes, evidence) {
  const form = h("form", { class: "decide" }, h("h3", {}, "Set a label"),
    h("label", {}, "Of ", h("select", { name: "scope" }, scopes.map((scope, place) => h("option", { value: place }, scope.title)))),
    h("label", {}, "Rank ", h("select", { name: "field" }, store.words.ranks.map((rank) => h("option", { value: rank, selected: rank === "species" }, rank)))),
    h("label", {}, "Label ", h("input", { name: "value", maxlength: "200", autocomplete: "off", placeholder: "blank clears it" })),
    reasonField("misidentified"), noteField(), h("button", { class: "main" }, "Save label"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { scope, field, value, reason, note } = Object.fromEntries(new FormData(form));
    save([{ ...scopes[scope].target, action: "relabel", field, value: value.trim() || null, reason, note: note || null, evidence }],
      `${field} of ${scopes[scope].title}: ${value || "cleared"}`);
  });
  return form;
}

export function placeForm(processid, evidence) {
  const form = h("form", { class: "decide" }, h("h3", {}, "Set the place"),
    h("label", {}, "Field ", h("select", { name: "field" }, store.words.settable.map((name) => h("option", { value: name }, name === "province_state" ? "province or state" : name === "coord" ? "latitude, longitude" : name)))),
    h("label", {}, "Value ", h("input", { name: "value", maxlength: "200", autocomplete: "off", placeholder: "blank clears it" })),
    reasonField("wrong_metadata"), noteField(), h("button", { class: "main" }, "Save place"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { field, value, reason, note } = Object.fromEntries(new FormData(form));
    save([{ processid, action: "set", field, value: value.trim() || null, reason, note: note || null, evidence }], `${field} of ${processid}: ${value || "cleared"}`);
  });
  return form;
}
