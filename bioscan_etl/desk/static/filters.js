// What of the doubts is shown, and in which order. The filters are in the address.

import { stateOf, store } from "./store.js";

export const FIELDS = ["q", "kind", "rule", "batch", "new", "state", "sort"];
export const SORTS = {
  "": "as listed", specimens: "specimens, most first", label_delivered: "label as delivered", label_made: "label made",
  country: "country", batch: "batch", processid: "process ID",
};
const SEARCHED = ["processid", "name", "group", "rule", "why", "proposed", "label_delivered", "label_made", "country", "batch"];
const STATES = ["open", "changed", "decided"];
const NAMES = ["kind", "rule", "batch", "new", "state"];

// Everything that is searched row by row, as one lower-case text: one look through it is faster than one per row.
let searched = { of: null };

function texts() {
  const { doubts } = store;
  if (searched.of === doubts) return searched;
  const own = SEARCHED.filter((name) => !doubts.columns[name].codes).map((name) => doubts.columns[name].values);
  const starts = new Int32Array(doubts.count + 1);
  const rows = new Array(doubts.count);
  for (let row = 0, at = 0; row < doubts.count; row += 1) {
    let whole = "";
    for (const values of own) if (values[row]) whole += `${values[row]}\n`;
    rows[row] = whole.toLowerCase();
    at += rows[row].length;
    starts[row + 1] = at;
  }
  searched = { of: doubts, whole: rows.join(""), starts, orders: new Map() };
  return searched;
}

// Made while nobody waits.
export const prepare = () => (window.requestIdleCallback ?? setTimeout)(() => texts());

// Marks the rows that have a word in one of their texts.
function found(word) {
  const { doubts } = store;
  const { whole, starts } = texts();
  const has = new Uint8Array(doubts.count);
  for (let at = whole.indexOf(word), row = 0; at >= 0; at = whole.indexOf(word, starts[row + 1])) {
    // The row of a place: near, or far by halves.
    if (starts[row + 1] <= at) {
      let high = doubts.count;
      while (high - row > 1) { const middle = (row + high) >> 1; if (starts[middle] <= at) row = middle; else high = middle; }
    }
    has[row] = 1;
  }
  for (const name of SEARCHED) {
    const { values, codes } = doubts.columns[name];
    if (!codes) continue;
    const right = Uint8Array.from(values, (value) => (value.toLowerCase().includes(word) ? 1 : 0));
    if (right.includes(1)) for (let row = 0; row < doubts.count; row += 1) if (codes[row] >= 0) has[row] |= right[codes[row]];
  }
  return has;
}

// The number of the state of each row.
function states() {
  const codes = new Uint8Array(store.doubts.count);
  for (const [row, one] of store.states.byRow) codes[row] = STATES.indexOf(one.state);
  return codes;
}

export function parsed(query) {
  const given = new URLSearchParams(query);
  return Object.fromEntries(FIELDS.map((name) => [name, given.get(name) ?? ""]));
}

export function written(filters) {
  const given = new URLSearchParams(FIELDS.filter((name) => filters[name]).map((name) => [name, filters[name]]));
  return given.toString();
}

// Rows (numbers) that the filters leave, open ones first unless sorted; and how many doubts each value of a filter has
// under the other ones.
export function looked(filters) {
  const { doubts } = store;
  const { count } = doubts;
  const fails = new Uint8Array(count); // a bit for each filter that a row does not pass
  const codesOf = { state: states() };
  for (const name of ["kind", "rule", "batch", "new"]) codesOf[name] = doubts.columns[name].codes;
  const valuesOf = (name) => (name === "state" ? STATES : doubts.columns[name].values);
  NAMES.forEach((name, bit) => {
    if (!filters[name]) return;
    const code = valuesOf(name).indexOf(filters[name]);
    const codes = codesOf[name];
    for (let row = 0; row < count; row += 1) if (codes[row] !== code || code < 0) fails[row] |= 1 << bit;
  });
  for (const word of filters.q.toLowerCase().split(/\s+/).filter(Boolean)) {
    const has = found(word);
    for (let row = 0; row < count; row += 1) if (!has[row]) fails[row] |= 1 << NAMES.length;
  }
  const counts = Object.fromEntries(NAMES.map((name, bit) => {
    const sums = new Int32Array(valuesOf(name).length);
    const codes = codesOf[name];
    const others = ~(1 << bit);
    for (let row = 0; row < count; row += 1) if (!(fails[row] & others) && codes[row] >= 0) sums[codes[row]] += 1;
    return [name, new Map(valuesOf(name).map((value, code) => [value, sums[code]]).filter(([, sum]) => sum))];
  }));
  return { rows: sorted(fails, filters.sort, codesOf.state), counts };
}

export const filtered = (filters) => looked(filters).rows;

function sorted(fails, name, state) {
  const { all } = store.doubts;
  if (name in store.doubts.columns) return order(name).filter((row) => !fails[row]);
  if (!store.states.byRow.size) return all.filter((row) => !fails[row]);
  const decided = STATES.indexOf("decided");
  return all.filter((row) => !fails[row] && state[row] !== decided).concat(all.filter((row) => !fails[row] && state[row] === decided));
}

// All rows in the order of a column, made once.
function order(name) {
  const { orders } = texts();
  if (!orders.has(name)) {
    const { values, codes } = store.doubts.columns[name];
    const last = (key) => (key < 0 ? Infinity : key);
    const by = codes ? (one, two) => last(codes[one]) - last(codes[two]) : name === "specimens" ? (one, two) => values[two] - values[one]
      : (one, two) => compare(values[one], values[two]);
    orders.set(name, store.doubts.all.slice().sort((one, two) => by(one, two) || one - two));
  }
  return orders.get(name);
}

function compare(one, two) {
  if (one === two) return 0;
  if (one === null || one === undefined) return 1;
  if (two === null || two === undefined) return -1;
  return one < two ? -1 : 1;
}

// CSV that a spreadsheet does not run: cells that begin like a formula get a '.
export function csv(rows, heads, cells) {
  const quoted = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    const safe = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [heads, ...rows.map(cells)].map((line) => line.map(quoted).join(",")).join("\n") + "\n";
}
