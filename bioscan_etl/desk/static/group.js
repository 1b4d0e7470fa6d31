// A doubt about several specimens, with its evidence side by side.

import { clear, data, h, number, table } from "./dom.js";
import { answer, buttons, relabelForm, save, stateLine } from "./decisions.js";
import { differences, picture, strip } from "./pictures.js";
import { rule } from "./worklist.js";
import { groupForm, ofGroup } from "./many.js";
import { taxonLink } from "./taxon_link.js";
import { onStates, read, store } from "./store.js";

export async function group(page, id) {
  const row = store.doubts.columns.id.values.indexOf(id);
  clear(page, h("h1", {}, "Doubt"), h("p", {}, "Loading …"));
  let found;
  try {
    found = await read(`doubts/${encodeURIComponent(id)}.json`);
  } catch (error) {
    clear(page, h("h1", {}, "Doubt"), h("p", { class: "wrong" }, error.message));
    return () => {};
  }
  const { doubt } = found;
  const state = h("div", { class: "settle" });
  const isTypo = doubt.kind === "typo";
  const isSpecies = doubt.kind === "species";
  const fill = () => clear(state, h("p", {}, stateLine(row)), isTypo ? typoButtons(found) : doubt.kind === "report" ? [reports(found), reportButtons(found, row)] : doubt.kind === "duplicate" ? buttons(row) : isSpecies ? speciesButtons(found, row) : conflictButtons(found));
  clear(page, h("h1", {}, isTypo ? [data(doubt.name, 100), " or ", data(doubt.proposed, 100)] : doubt.name ? [data(doubt.name, 100), " and ", data(doubt.proposed, 100)] : data(doubt.processid ?? doubt.group, 100)),
    h("p", {}, rule(doubt.rule), ": ", store.words.rules[doubt.rule]?.statement ?? "", doubt.why && [h("br"), data(doubt.why, 600)]), state,
    isTypo ? spellings(found) : members(found),
    (doubt.kind === "conflict" || isSpecies) && [h("h2", {}, "Decide otherwise"),
      isSpecies && relabelForm(found.members.flatMap(scopesOf), doubt.evidence),
      doubt.group && groupForm([ofGroup(doubt.group)], doubt.evidence)]);
  fill();
  return onStates(fill);
}

function typoButtons({ doubt }) {
  const name = { rank: doubt.rank, name: doubt.name };
  return h("p", { class: "buttons" },
    doubt.proposed && h("button", { type: "button", class: "main", onclick: () => save([{ ...name, action: "merge", value: doubt.proposed, reason: "spelling", evidence: doubt.evidence }], `${doubt.name} is a wrong spelling of ${doubt.proposed}`) }, "It is a typo: merge into ", data(doubt.proposed, 80)),
    h("button", { type: "button", onclick: () => save([{ ...name, action: "keep", field: doubt.rule, reason: "checked", evidence: doubt.evidence }], `${doubt.name} is spelt rightly`) }, data(doubt.name, 80), " is right"));
}

// What users reported. Taking it over writes the decision that they suggest, with their reason.
function reports({ reports: all }) {
  return table("Reports", ["Reason", "Suggested", "Note", "Reported by", "On"], all.map((one) => [data(store.words.reasons[one.reason] ?? one.reason),
    one.field ? [`${one.field}: `, data(one.value, 200)] : "", data(one.note, 600), data(one.reporter, 80), data(one.date)]));
}

function reportButtons({ doubt, reports: all, members: rows }, row) {
  const [first] = all;
  const isBox = first?.action === "box";
  // The evidence of a box is its image, which does not say what was reported: a second line answers the report.
  const evidence = isBox ? rows[0]?.sha256?.slice(0, 16) ?? null : doubt.evidence;
  const line = first?.action && { processid: doubt.processid, action: first.action, field: isBox ? null : first.field,
    value: first.value, reason: first.reason, note: "reported by a user", evidence };
  const taken = isBox ? [line, answer(row, "keep", { note: "box taken over" })] : [line];
  return h("p", { class: "buttons" },
    line && h("button", { type: "button", class: "main", onclick: () => save(taken, `${first.field} of ${doubt.processid}: ${first.value ?? "cleared"}`) }, "Take over: ", `${first.field} `, data(first.value ?? "cleared", 120)),
    buttons(row), " ", h("a", { href: `#/specimen/${encodeURIComponent(doubt.processid)}` }, "Decide otherwise"));
}

// The first rank at which members differ, and its labels with their records.
function contested(rows) {
  for (const rank of store.words.ranks) {
    const labels = new Map();
    for (const row of rows) if (row[rank]) labels.set(row[rank], (labels.get(row[rank]) ?? 0) + 1);
    if (labels.size > 1) return { rank, labels: [...labels].sort((one, two) => two[1] - one[1]) };
  }
  return { rank: null, labels: [] };
}

function conflictButtons({ doubt, members: rows }) {
  const { rank, labels } = contested(rows);
  const own = doubt.group ? { group: doubt.group } : { processid: doubt.processid };
  return h("p", { class: "buttons" },
    labels.slice(0, 6).map(([label, count]) => h("button", { type: "button", class: "main", onclick: () => save([{ ...own, action: "relabel", field: rank, value: label, reason: "contested_label", evidence: doubt.evidence }], `${rank} of ${doubt.group}: ${label}`) },
      `All are ${rank} `, data(label, 80), ` (${number(count)})`)),
    h("button", { type: "button", onclick: () => save([{ ...own, action: "keep", field: doubt.rule, reason: "checked", evidence: doubt.evidence }], `${doubt.group}: leave as it is`) }, "Leave it as it is"));
}

// One specimen is misidentified: it alone, or all that share its barcode.
const scopesOf = ({ processid, species, dna_barcode: letters }) => [
  { title: `${processid}, ${species ?? "no species"}`, target: { processid } },
  ...(letters ? [{ title: `all with the barcode of ${processid}`, target: { group: `barcode:${processid}` } }] : [])];

// Two names for one species, or nothing has to change.
function speciesButtons({ doubt }, row) {
  const into = (from, to) => h("button", { type: "button", onclick: () => save([{ rank: "species", name: from, action: "merge", value: to, reason: "synonym", evidence: doubt.evidence }], `${from} is a synonym of ${to}`) },
    data(from, 80), " is a synonym: merge into ", data(to, 80));
  return h("p", { class: "buttons" },
    h("button", { type: "button", class: "main", onclick: () => save([answer(row, "keep")], `${doubt.name ?? doubt.group}: leave as it is`) }, "Leave it as it is"),
    doubt.name && doubt.proposed && [into(doubt.name, doubt.proposed), into(doubt.proposed, doubt.name)]);
}

function members({ members: rows, all, aligned, reference, doubt }) {
  const { rank } = contested(rows);
  const placed = new Map((aligned ?? []).map((one) => [one.processid, one]));
  const heads = ["Image", "Specimen", rank ? `Its ${rank}` : "Its label", "In the release", "BIN", "Place", "Barcode, differing bases marked"];
  return [doubt.kind === "duplicate" ? h("div", { class: "pairs" }, rows.map((row) => h("figure", {}, picture(row.processid, row, "images"),
    h("figcaption", {}, h("a", { href: `#/specimen/${encodeURIComponent(row.processid)}` }, data(row.processid)), h("br"), data(row.made, 100), h("br"), h("span", { class: "faint" }, row.sha256 === rows[0].sha256 ? "same file" : "similar image"))))) : null,
  table(`Specimens${all > rows.length ? ` (${number(rows.length)} of ${number(all)})` : ""}`, heads, rows.map((row) => {
    const one = placed.get(row.processid);
    return [picture(row.processid, row), h("a", { href: `#/specimen/${encodeURIComponent(row.processid)}` }, data(row.processid)),
      data(rank ? row[rank] : row.species ?? row.genus, 120), row.gates.length ? ["held back: ", row.gates.join(", ")] : taxonLink(row.made, "any", 120), data(row.dna_bin), data(row.country, 60),
      one ? [strip(one.placed, 14, one.differing), h("div", { class: "faint" }, differences(reference, one))] : strip(row.dna_barcode, 14)];
  }))];
}

const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

function spellings({ rank, spellings: both }) {
  return h("div", { class: "two" }, both.map((one) => h("section", {}, h("h2", {}, taxonLink(one.name, rank, 100)),
    h("p", {}, `${counted(one.records, "record")} as ${rank}, ${counted(one.barcodes, "barcode")}. BINs: `, data(one.bins.join(", ") || null, 300)),
    table(`Lineages of ${one.name.slice(0, 80)}`, ["Lineage", "Records"], one.lineages.map((lineage) => [data(store.words.ranks.map((name) => lineage[name]).filter(Boolean).join(" › ") || null, 300), number(lineage.records)])),
    h("div", { class: "pairs" }, one.members.map((row) => h("figure", {}, picture(row.processid, row), h("figcaption", {}, h("a", { href: `#/specimen/${encodeURIComponent(row.processid)}` }, data(row.processid)), h("br"), data(row.dna_bin), strip(row.dna_barcode, 8))))))));
}
