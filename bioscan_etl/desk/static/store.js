// The data of the pages, and the saving of decisions. `source.js` knows where they are.

import { post as posted, read } from "./source.js";

export { read };

const parts = new Map();
const waiting = [];
const listeners = new Set();
const runs = new Set();

export const store = { words: null, doubts: null, states: null, undo: [] };

export async function load() {
  const [words, doubts, states] = await Promise.all([read("words.json"), read("doubts.json"), read("states.json")]);
  store.words = words;
  store.doubts = columns(doubts);
  setStates(states);
}

// What changed meanwhile. Returns whether a run has listed other doubts: then all is read again.
export async function refresh() {
  return renewed(await read("states.json", store.states.mark));
}

// States are about the doubts of one run: those of another would be put to the wrong rows.
async function renewed(given) {
  if (given.of === store.doubts.version) {
    setStates(given);
    return false;
  }
  parts.clear();
  await load();
  for (const listen of runs) listen();
  return true;
}

// `get(name, row)` of the columns; texts that repeat are stored once.
function columns(given) {
  const all = Array.from({ length: given.count }, (_, row) => row);
  return {
    count: given.count,
    part: given.part,
    version: given.version,
    all,
    columns: given.columns,
    get(name, row) {
      const column = given.columns[name];
      if (!column.codes) return column.values[row];
      return column.codes[row] < 0 ? null : column.values[column.codes[row]];
    },
  };
}

function setStates(given) {
  const { mark, since, rows, lines, gone, refused } = given;
  const isChange = Boolean(since) && since === store.states?.mark;
  const byRow = isChange ? store.states.byRow : new Map();
  rows.row.forEach((row, place) => {
    if (rows.state[place] === "open") byRow.delete(row);
    else byRow.set(row, {
      state: rows.state[place], by: rows.decided_by[place], on: rows.decided_on[place],
      why: rows.decided_why[place], as: rows.decided_as[place], lines: rows.lines[place],
    });
  });
  const known = isChange ? store.states.lines : {};
  const byTarget = isChange ? store.states.byTarget : new Map();
  const drop = (id) => { byTarget.get(targetOf(known[id]))?.delete(id); delete known[id]; };
  for (const id of gone) if (known[id]) drop(id);
  const names = Object.keys(lines).filter((name) => name !== "id");
  lines.id.forEach((id, place) => {
    if (known[id]) drop(id);
    known[id] = Object.fromEntries(names.map((name) => [name, lines[name][place]]));
    const about = targetOf(known[id]);
    if (!byTarget.has(about)) byTarget.set(about, new Set());
    byTarget.get(about).add(id);
  });
  store.states = { mark, byRow, lines: known, byTarget, refused };
  for (const listen of listeners) listen();
}

const TARGET = ["processid", "rank", "name", "group"];
const targetOf = (line) => JSON.stringify(TARGET.map((key) => line[key] ?? null));
// The lines about the same specimen, name or group, with their ids.
const linesAbout = (line) => [...store.states.byTarget.get(targetOf(line)) ?? []].map((id) => [id, store.states.lines[id]]);

const OPEN = { state: "open", lines: [] };
export const stateOf = (row) => store.states.byRow.get(row) ?? OPEN;

export function onStates(listen) {
  listeners.add(listen);
  return () => listeners.delete(listen);
}

// A run has listed other doubts.
export const onRun = (listen) => runs.add(listen);

// The details of a row, and a promise of them if they are not there yet. At most two parts are on their way at once.
export function details(row) {
  const part = Math.floor(row / store.doubts.part);
  const found = parts.get(part);
  return Array.isArray(found) ? found[row % store.doubts.part] : null;
}

// Whether details of a row are as good as they get: written pages do not have those of every row.
export const hasArrived = (row) => Array.isArray(parts.get(Math.floor(row / store.doubts.part)));

export function need(row) {
  const part = Math.floor(row / store.doubts.part);
  if (!parts.has(part)) {
    parts.set(part, new Promise((resolve) => waiting.push({ part, resolve })));
    next();
  }
  return Promise.resolve(parts.get(part));
}

let busy = 0;
function next() {
  while (busy < 2 && waiting.length) {
    const { part, resolve } = waiting.pop(); // what was scrolled to last is in view
    busy += 1;
    read(`parts/${part}.json`).then((rows) => { parts.set(part, rows); resolve(rows); }, () => {
      parts.set(part, []);
      resolve([]);
    }).finally(() => { busy -= 1; next(); });
  }
}

// What a decision about a doubt names.
export function target(row) {
  const get = (name) => store.doubts.get(name, row);
  if (get("processid")) return { processid: get("processid") };
  if (get("group")) return { group: get("group") };
  return { rank: get("rank"), name: get("name") };
}

const ANSWERS = ["accept", "reject", "keep", "merge"];

// Own lines that a new one replaces: the same question about the same thing, answered before.
function replaced(line) {
  return linesAbout(line).filter(([, old]) => old.own && (
    (ANSWERS.includes(old.action) && ANSWERS.includes(line.action)
      && (old.field === null || line.action === "reject" || old.action === "reject" || old.field === (line.field ?? null)))
    || (old.action === line.action && (old.field ?? null) === (line.field ?? null))
  )).map(([id]) => id);
}

// Lines of other curators that say something else: both would be left out.
export function opposed(lines) {
  return lines.flatMap((line) => linesAbout(line).map(([, old]) => old).filter((old) => !old.own && !old.problem
    && ((["accept", "reject"].includes(old.action) && ["accept", "reject"].includes(line.action) && old.action !== line.action)
      || (old.action === line.action && (old.field ?? null) === (line.field ?? null) && (old.value ?? null) !== (line.value ?? null)))));
}

async function post(lines, gone) {
  const done = await posted(lines, gone, store.states.mark);
  await renewed(done.states);
  return done.ids;
}

const CELLS = ["processid", "rank", "name", "group", "action", "field", "value", "reason", "note", "evidence", "date"];
const cellsOf = (old) => Object.fromEntries(CELLS.map((name) => [name, old[name] ?? null]));

// Saves decisions. What they replace is restored by the undo.
export async function decide(lines, said) {
  const gone = [...new Set(lines.flatMap(replaced))];
  const before = gone.map((id) => cellsOf(store.states.lines[id]));
  const ids = await post(lines, gone);
  store.undo.push({ said, undo: async () => { await post(before, ids); } });
  return ids;
}

export async function takeAway(ids, said) {
  const before = ids.map((id) => cellsOf(store.states.lines[id]));
  await post([], ids);
  store.undo.push({ said, undo: async () => { await post(before, []); } });
}

export async function undo() {
  const last = store.undo.pop();
  if (!last) return null;
  try {
    await last.undo();
  } catch (error) {
    store.undo.push(last);
    throw error;
  }
  return last.said;
}
