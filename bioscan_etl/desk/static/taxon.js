// The specimens of a taxon as a grid of crops, the odd ones first; those that were chosen are rejected or relabelled.

import { ask, clear, data, h, number, say, table } from "./dom.js";
import { last, noteField, reasonField, save } from "./decisions.js";
import { grid } from "./grid.js";
import { actionOf, keys, setKeys } from "./keys.js";
import { pictureOf } from "./source.js";
import { taxonLink } from "./taxon_link.js";
import { onStates, read, store, undo } from "./store.js";

const SORTS = { "": "the odd ones first", processid: "process ID" };
const MEASURES = { area: ["area", "share of the image that the box covers"], aspect: ["shape", "longer over shorter side of the box"],
  brightness: ["brightness", "mean grey of the crop, 0 to 255"], barcode: ["barcode", "distance to the taxon's most frequent barcode"] };
const ODD = 3; // usual differences, from which on a measure is named

export async function taxon(page, rest) {
  const [path, query = ""] = rest.split("?");
  const [rank, ...more] = path.split("/");
  let name = more.join("/");
  try { name = decodeURIComponent(name); } catch { /* as it is */ }
  clear(page, h("h1", {}, data(name, 100)), h("p", {}, "Looking for its specimens, and comparing them …"));
  let found;
  try {
    found = await read(`taxa/${encodeURIComponent(rank)}/${encodeURIComponent(name)}.json`);
  } catch (error) {
    clear(page, h("h1", {}, data(name, 100)), h("p", { class: "wrong" }, error.message));
    return () => {};
  }
  const { columns } = found;
  const all = columns.processid.map((_, place) => Object.fromEntries(Object.entries(columns).map(([key, values]) => [key, values[place]])));
  const chosen = h("p", { class: "summary", role: "status" });
  let decided = new Map();
  const cells = grid(`Specimens of ${found.name}`, (one) => cell(one, decided.get(one.processid)), {
    chosen: (count) => { chosen.textContent = count ? `${number(count)} chosen` : `${number(all.length)} specimens, none chosen`; },
    open: (one) => { location.hash = `#/specimen/${encodeURIComponent(one.processid)}`; },
    act: (event, some) => pressed(actionOf(event), some),
  });
  const sort = h("select", { name: "sort", onchange: () => {
    history.replaceState(null, "", `#/taxon/${path}${sort.value ? `?sort=${sort.value}` : ""}`);
    fill();
  } }, Object.entries(SORTS).map(([value, title]) => h("option", { value, selected: value === (new URLSearchParams(query).get("sort") ?? "") }, title)));
  const fill = () => cells.set(sort.value === "processid" ? all.slice().sort((one, two) => (one.processid < two.processid ? -1 : 1)) : all);
  const follow = () => { decided = byProcessid(); cells.redraw(); };

  function pressed(name, some) {
    const known = { reject: () => reject(some), relabel: () => relabel(some), help: setKeys, undo: back,
      open: () => { location.hash = `#/specimen/${encodeURIComponent(some[0].processid)}`; } };
    known[name]?.();
    return name in known;
  }

  async function back() {
    try {
      const said = await undo();
      say(said ? `Undone: ${said}` : "Nothing to undo");
    } catch (error) { say(`Not undone: ${error.message}`, true); }
  }

  async function reject(some) {
    const values = await ask(`Reject ${number(some.length)} specimens?`, "They stay out of releases until the line is taken away.", [reasonField(last.reason), noteField()], `Reject ${number(some.length)}`);
    cells.element.focus();
    if (!values) return;
    last.reason = values.reason;
    if (await save(some.map((one) => ({ processid: one.processid, action: "reject", reason: values.reason, note: values.note || null, evidence: one.evidence })), `reject ${number(some.length)} of ${found.name}`)) cells.clear();
  }

  async function relabel(some) {
    const values = await ask(`Relabel ${number(some.length)} specimens?`, "Each gets a line of its own. A blank label clears the rank.", [
      h("label", {}, "Rank ", h("select", { name: "field" }, store.words.ranks.map((one) => h("option", { value: one, selected: one === found.rank }, one)))),
      h("label", {}, "Label ", h("input", { name: "value", maxlength: "200", autocomplete: "off" })), reasonField("misidentified"), noteField()], `Relabel ${number(some.length)}`);
    cells.element.focus();
    if (!values) return;
    const value = values.value.trim() || null;
    if (await save(some.map((one) => ({ processid: one.processid, action: "relabel", field: values.field, value, reason: values.reason, note: values.note || null })), `${values.field} of ${number(some.length)} specimens: ${value ?? "cleared"}`)) cells.clear();
  }

  const withChosen = (act) => () => { const some = cells.selected(); if (some.length) act(some); else say("Choose specimens first: click them, or press Space", true); };
  clear(page, h("h1", {}, data(found.name, 100), " ", h("span", { class: "faint" }, found.rank)),
    h("p", {}, Object.entries(found.lineage).filter(([, label]) => label).map(([one, label]) => [taxonLink(label, one, 60), " › "]), `${number(found.count)} specimens`,
      found.count > all.length ? all.length < found.compared ? `, of which the ${number(all.length)} oddest are on these pages` : `, of which the first ${number(all.length)} by process ID are compared` : ""),
    h("details", {}, h("summary", {}, "How odd is measured"),
      h("p", {}, `Each measure is compared with the taxon's median. The number beside it says how many usual differences (1.4826 times the median absolute difference) it is off; ${ODD} or more is named. The largest one orders the grid. Nothing is decided by it.`),
      table("Measures and their medians", ["Measure", "What it is", "Median"], Object.entries(MEASURES).map(([key, [title, meaning]]) => {
        const middle = found.medians[key === "barcode" ? "barcode_distance" : key];
        return [title, meaning, middle === null ? data(null) : middle.toFixed(3)];
      }))),
    h("div", { class: "bar" }, chosen, h("p", { class: "buttons" }, h("label", {}, "Sort ", sort),
      h("button", { type: "button", onclick: withChosen(reject) }, h("kbd", {}, keys().reject), " Reject chosen"),
      h("button", { type: "button", onclick: withChosen(relabel) }, h("kbd", {}, keys().relabel), " Relabel chosen"),
      h("button", { type: "button", onclick: setKeys }, h("kbd", {}, keys().help), " Keys"),
      h("span", { class: "faint" }, "Arrows move, Space chooses, Shift and arrows choose several, Enter opens, Escape chooses none"))),
    cells.element);
  decided = byProcessid();
  fill();
  const end = onStates(follow);
  return () => { end(); cells.end(); };
}

// The latest line about each specimen.
function byProcessid() {
  const found = new Map();
  for (const one of Object.values(store.states.lines)) {
    if (!one.processid || one.problem) continue;
    const before = found.get(one.processid);
    if (!before || before.date <= one.date) found.set(one.processid, one);
  }
  return found;
}

// No link: what can be chosen may hold nothing that takes the focus. Enter does the same.
const opener = (processid) => h("a", { class: "opener", onclick: () => { location.hash = `#/specimen/${encodeURIComponent(processid)}`; } }, data(processid, 24));

function cell(one, line) {
  const named = Object.entries(MEASURES).filter(([key]) => (one[`odd_${key}`] ?? 0) >= ODD).map(([key, [title]]) => `${title} ${one[`odd_${key}`].toFixed(1)}`);
  const src = one.image_file && one.image_status !== "unreadable" ? pictureOf(one.processid, "crops") : null;
  const image = src ? h("img", { src, alt: `crop of ${one.processid}`, draggable: "false", loading: "lazy" })
    : h("span", { class: "none" }, !one.image_file ? "no image" : one.image_status === "unreadable" ? "image cannot be read" : "image not on these pages");
  if (src) image.addEventListener("error", () => image.replaceWith(h("span", { class: "none" }, "cannot be shown")));
  return [h("div", { class: "crop" }, image),
    h("div", { class: "line" }, opener(one.processid)),
    h("div", { class: named.length ? "line odd" : "line faint" }, named.length ? named.join(", ") : `oddness ${one.oddness.toFixed(1)}`),
    h("div", { class: "line state decided" }, line ? data([line.action, line.field, line.value].filter(Boolean).join(" "), 40) : one.gates.length ? h("span", { class: "faint" }, data(one.gates.join(", "), 24)) : "")];
}
