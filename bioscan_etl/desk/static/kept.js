// The same as `source.js` for written pages: data come from scripts beside the page, decisions stay in the browser until
// they are downloaded.

import { clear, data, h, number, say } from "./dom.js";

const waiting = new Map();
let words = null;
let doubts = null;
let written = null; // states as they were when the pages were written
let kept = []; // own lines
let next = 1;
let told = () => {};

export const about = "Your decisions stay in this browser until you download them; then add them to the corpus with: bioscan-etl decide FILE. The other lines were in the corpus when these pages were written.";

// The desk's server makes these files; written pages have none.
export const downloads = [];

// Each script beside the page calls this with its path and its JSON. Chromium lets no page read files in another way.
// The pages of a batch have their own list; everything else is shared by all pages, at their root.
const OWN = ["doubts.json", "states.json"];
const root = document.querySelector('meta[name="desk-root"]').content;

globalThis.bioscanDesk = (path, text) => {
  waiting.get(path)?.resolve(JSON.parse(text));
};

// One script for all who ask for it at the same time.
function script(path) {
  if (!waiting.has(path)) waiting.set(path, loading(path));
  return waiting.get(path).promise;
}

function loading(path) {
  const one = {};
  one.promise = new Promise((resolve, reject) => {
    one.resolve = resolve;
    const element = h("script", { src: `${OWN.includes(path) ? "" : root}data/${path.replace(/json$/, "js")}` });
    element.addEventListener("error", () => {
      waiting.delete(path);
      reject(absent());
    });
    element.addEventListener("load", () => element.remove());
    document.head.append(element);
  });
  return one;
}

const absent = () => new Error("These pages do not have it; look into the corpus with bioscan-etl desk or bioscan-etl why");

export async function read(path) {
  if (path === "states.json") { await all(); return states(); }
  const [kind, ...rest] = path.replace(/\.json$/, "").split("/").map(decodeURIComponent);
  if (!rest.length) return script(path);
  await all();
  if (kind === "parts") return part(Number(rest[0]));
  const place = placeOf[kind]?.(...rest) ?? null;
  if (place === null) throw absent();
  return script(`${kind}/${place}.json`);
}

// Names of the data are names of no file: they are numbered, or those of a doubt. Null: these pages do not have it.
const found = (place) => (place >= 0 ? place : null);
const compared = (id) => (words.compared.includes(id) ? id : null);
const placeOf = {
  doubts: compared,
  groups: (kind, name) => {
    const wanted = kind === "barcode" ? `barcode:${name}` : name;
    for (let row = 0; row < doubts.count; row += 1) if (value("group", row) === wanted && ["conflict", "species"].includes(value("kind", row))) return compared(value("id", row));
    return null;
  },
  masks: (processid) => { const place = numberOf(processid); return words.masked.includes(place) ? place : null; },
  taxa: (rank, name) => found(words.taxa.findIndex(([one, title]) => title === name && (rank === "any" || rank === one))),
};

// Details are kept once per specimen; a part of a list has those of its rows, null where there are none.
async function part(number) {
  const places = doubts.details.slice(number * doubts.part, (number + 1) * doubts.part);
  const wanted = [...new Set(places.filter((place) => place >= 0).map((place) => Math.floor(place / doubts.part)))];
  const files = new Map(await Promise.all(wanted.map(async (one) => [one, await script(`details/${one}.json`)])));
  return places.map((place) => (place < 0 ? null : files.get(Math.floor(place / doubts.part))[place % doubts.part]));
}

async function all() {
  if (!written) {
    const [first, second, rows, lines] = await Promise.all(["words.json", "doubts.json", "states.json", "lines.json"].map(script));
    [words, doubts, written] = [first, second, { ...rows, ...lines }];
    try { kept = JSON.parse(localStorage.getItem(key()) ?? "[]"); } catch { kept = []; }
    next = kept.reduce((most, one) => Math.max(most, one.id + 1), 1);
  }
  return written;
}

const key = () => `desk-decisions ${words.corpus} ${doubts.version}`;

export async function post(lines, gone) {
  const curator = localStorage.getItem("desk-curator")?.trim();
  if (lines.length && !curator) {
    document.querySelector("input[name=curator]")?.focus();
    throw new Error("write your name at the top first");
  }
  const now = new Date();
  const today = new Date(now.getTime() - 60_000 * now.getTimezoneOffset()).toISOString().slice(0, 10);
  const added = lines.map((line, place) => ({ ...line, curator, date: line.date ?? today, id: next + place }));
  const wanted = [...kept.filter((one) => !gone.includes(`kept-${one.id}`)), ...added];
  try {
    localStorage.setItem(key(), JSON.stringify(wanted));
  } catch {
    throw new Error("the browser keeps no more; download your decisions, then take them away");
  }
  next += lines.length;
  kept = wanted;
  told();
  return { ids: added.map((one) => `kept-${one.id}`), states: states() };
}

const CELLS = ["processid", "rank", "name", "group"];

// The states when the pages were written, and those of the doubts that own lines answer (`doubts.state` has the rules).
function states() {
  const rows = Object.fromEntries(Object.entries(written.rows).map(([name, values]) => [name, values.slice()]));
  const lines = Object.fromEntries(Object.entries(written.lines).map(([name, values]) => [name, values.slice()]));
  const placeOf = new Map(rows.row.map((row, place) => [row, place]));
  const about = rowsByTarget();
  const seen = rowsByEvidence();
  for (const one of kept) {
    const id = `kept-${one.id}`;
    const line = { ...Object.fromEntries(words.columns.map((name) => [name, one[name] ?? null])), id, file: "this browser", problem: null, own: true };
    for (const [name, values] of Object.entries(lines)) values.push(line[name]);
    const named = about.get(CELLS.map((name) => one[name] ?? "").join("\n")) ?? [];
    for (const row of new Set([...named, ...(one.evidence ? seen.get(one.evidence) ?? [] : [])])) {
      if (!answers(one, row)) continue;
      const place = placeOf.get(row) ?? rows.row.length;
      placeOf.set(row, place);
      const filled = { row, state: "decided", decided_by: one.curator, decided_on: one.date,
        decided_why: [one.reason, one.note].filter(Boolean).join(": "), decided_as: [one.action, one.field, one.value].filter(Boolean).join(" "),
        lines: [id, ...(rows.lines[place] ?? [])] };
      for (const [name, value] of Object.entries(filled)) rows[name][place] = value;
    }
  }
  return { mark: null, of: doubts.version, since: null, gone: [], refused: written.refused, rows, lines };
}

function value(name, row) {
  const { values, codes } = doubts.columns[name];
  return codes ? values[codes[row]] ?? null : values[row];
}

let targets = null;
function rowsByTarget() {
  if (targets) return targets;
  targets = new Map();
  const add = (text, row) => { if (targets.has(text)) targets.get(text).push(row); else targets.set(text, [row]); };
  for (let row = 0; row < doubts.count; row += 1) {
    const [processid, rank, name, group] = CELLS.map((cell) => value(cell, row));
    if (processid) add([processid, "", "", ""].join("\n"), row);
    if (name) add(["", rank, name, ""].join("\n"), row);
    if (group) add(["", "", "", group].join("\n"), row);
  }
  return targets;
}

// Doubts that are also answered by a line about something else that names their evidence.
let evidences = null;
function rowsByEvidence() {
  if (evidences) return evidences;
  evidences = new Map();
  for (let row = 0; row < doubts.count; row += 1) {
    if (!words.by_evidence.includes(value("kind", row))) continue;
    const evidence = value("evidence", row);
    if (evidences.has(evidence)) evidences.get(evidence).push(row); else evidences.set(evidence, [row]);
  }
  return evidences;
}

function answers({ action, field }, row) {
  const rule = value("rule", row);
  const isNamed = (!field && rule !== words.no_gap) || field === rule;
  return action === "reject" || (action === "keep" && isNamed) || (action === "accept" && isNamed && words.liftable.includes(rule))
    || (words.answers[value("kind", row)].includes(action) && (action !== "set" || ["country", "coord"].includes(field)));
}

// Images are numbered: no name of a file comes from the data.
let numbers = null;
function numberOf(processid) {
  numbers ??= new Map(words.pictures.map((one, place) => [one, place]));
  return numbers.get(processid) ?? null;
}

export function pictureOf(processid, size) {
  const place = numberOf(processid);
  return place === null || (size === "images" && place >= words.large) ? null : `${root}${size === "crops" ? "thumbs" : size}/${place}.jpg`;
}

// What the pages are: the first line of each.
const what = () => [doubts.batch === null ? "All doubts of " : ["Doubts of the batch ", data(doubts.batch, 60), " in "],
  words.release ? ["release ", words.release, " of "] : "the last run of ", data(words.corpus, 60), ", as written with it. ",
  root && [h("a", { href: `${root}index.html` }, "All batches"), ". "]];

// The pages of a batch.
export const pagesOf = (batch) => (Object.hasOwn(words.batches, batch) ? `${root}${words.batches[batch]}/index.html` : null);

// Asks who decides, and hands the decisions out.
export function who(element) {
  const name = h("input", { name: "curator", value: localStorage.getItem("desk-curator") ?? "", "aria-label": "Your name", placeholder: "Your name", size: "16", maxlength: "100", autocomplete: "name" });
  const download = h("button", { type: "button", class: "download" });
  name.addEventListener("input", () => localStorage.setItem("desk-curator", name.value));
  download.addEventListener("click", () => {
    const link = h("a", { href: URL.createObjectURL(new Blob([csv()], { type: "text/csv" })), download: "decisions.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    say("Add them to the corpus with: bioscan-etl decide decisions.csv");
  });
  told = () => {
    download.textContent = `Download ${number(kept.length)} ${kept.length === 1 ? "decision" : "decisions"}`;
    download.disabled = kept.length === 0;
  };
  told();
  clear(element, what(), "These pages cannot save. Your decisions stay in this browser: ", name, " ", download);
}

// The form of OUTPUT/decisions, cells as they are: `bioscan-etl decide` reads them.
function csv() {
  const quoted = (cell) => { const text = String(cell ?? ""); return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text; };
  return [words.columns, ...kept.map((one) => words.columns.map((name) => one[name]))].map((cells) => `${cells.map(quoted).join(",")}\n`).join("");
}
