// The page of a specimen: everything that is known of it.

import { clear, data, h, number, table as anyTable } from "./dom.js";
import { answer, buttons, linesTable, placeForm, relabelForm, stateLine } from "./decisions.js";
import { differences, map, outlined, picture, strip } from "./pictures.js";
import { bold, rule } from "./worklist.js";
import { groupForm, ofBarcode, ofBin, ofTaxon } from "./many.js";
import { taxonLink } from "./taxon_link.js";
import { onStates, read, store } from "./store.js";

// A table without rows says only that there are none.
const table = (caption, heads, rows) => (rows.length ? anyTable(caption, heads, rows) : h("p", { class: "faint" }, `${caption}: none`));

export async function specimen(page, processid) {
  clear(page, h("h1", {}, data(processid)), h("p", {}, "Loading …"));
  let found;
  try {
    found = await read(`specimens/${encodeURIComponent(processid)}.json`);
  } catch (error) {
    const upper = processid.toUpperCase();
    clear(page, h("h1", {}, data(processid, 100)), h("p", { class: "wrong" }, error.message),
      upper !== processid && h("p", {}, "Upper and lower case differ in process IDs. Open ", h("a", { href: `#/specimen/${encodeURIComponent(upper)}` }, data(upper, 100))));
    return () => {};
  }
  const { why } = found;
  const decided = h("section", {});
  const barcode = h("section", {}, h("h2", {}, "Barcode"), strip(found.barcode.dna_barcode, 24), h("p", { class: "faint" }, "Comparing it with all barcodes of the corpus; of millions that takes some seconds …"));
  const place = h("div", { class: "mapped" });
  const image = picture(processid, found.row, "images");
  const masked = h("span", {});
  const own = store.doubts.all.filter((row) => found.doubts.includes(store.doubts.columns.id.values[row]));
  const fill = () => clear(decided, doubts(own), lines(processid, found));
  const evidenceOf = (kind) => { const row = own.find((one) => store.doubts.get("kind", one) === kind); return row === undefined ? null : store.doubts.get("evidence", row); };
  const scopes = [{ title: `specimen ${processid}`, target: { processid } }];
  const groups = [];
  if (found.barcode.dna_barcode) groups.push(ofBarcode(processid));
  if (found.row.dna_bin) groups.push(ofBin(found.row.dna_bin));
  for (const one of found.labels) if (one.made ?? one.normalised) groups.push(ofTaxon(one.rank, one.made ?? one.normalised));

  clear(page,
    h("h1", {}, data(processid), " ", bold(processid)),
    h("p", { class: "lead" }, taxonLink(found.taxon ?? found.labels.findLast((one) => one.normalised)?.normalised, "any", 200), found.gates.length ? [", held back: ", found.gates.join(", ")] : ", released", h("br"),
      h("span", { class: "faint" }, "sample ", data(found.sampleid, 60), ", batch ", data(found.batch, 60))),
    h("div", { class: "two" }, h("figure", {}, image, h("figcaption", {}, masked, [found.row.image_status?.replace("_", " "), found.image.confidence === null ? null : `confidence ${found.image.confidence?.toFixed(2)}`, found.image.detector].filter(Boolean).join(", "))), decided),
    h("h2", {}, "Labels"),
    table("Labels as delivered, normalised, and in the release", ["Rank", "Delivered", "Normalised", "Release", "Rules"], found.labels.map((one) => [
      one.rank, data(one.delivered, 500), found.gates.length ? taxonLink(one.normalised, one.rank, 500) : data(one.normalised, 500), one.made === one.normalised ? taxonLink(one.made, one.rank, 500) : h("mark", {}, taxonLink(one.made, one.rank, 500)),
      why.changes.filter((change) => change.field === one.rank).map((change) => [rule(change.rule), " "]),
    ])),
    h("div", { class: "two" }, relabelForm(scopes, evidenceOf("label")), placeForm(processid, evidenceOf("place")), groups.length > 0 && groupForm(groups, null)),
    h("h2", {}, "Place and dates"),
    h("div", { class: "two" }, table("Place as delivered, and in the release", ["Field", "Delivered", "Release"], [
      ...found.places.map((one) => [one.field, data(one.delivered, 500), data(one.made, 500)]),
      ...Object.entries(found.dates).map(([name, value]) => [name.replaceAll("_", " "), "", data(value)]),
    ]), place),
    barcode,
    h("h2", {}, "Rules and changes"),
    table("Changed values", ["Field", "Before", "After", "Rule", "Evidence"], why.changes.map((one) => [one.field, data(one.before, 300), data(one.after, 300), rule(one.rule), data(one.evidence, 400)])),
    table("Rules that apply", ["Rule", "Says", "Stage", "Batch"], why.rules.map((one) => [one.rule, one.statement, one.stage, data(one.batch, 60)])),
    h("h2", {}, "Rows, images, releases"),
    table("Rows read", ["Batch", "File", "Line", "Record", "Snapshot"], why.read.map((one) => [data(one.batch, 60), data(one.source_file, 100), number(one.source_line), data(one.record_id, 80), data(one.snapshot_date)])),
    table("Rows set aside", ["Batch", "File", "Line", "Reason", "Used instead"], why.set_aside.map((one) => [data(one.batch, 60), data(one.source_file, 100), number(one.source_line), one.reason, data(one.kept_record_id, 80)])),
    table("Lines that could not be read", ["Batch", "File", "Line", "Reason", "Text"], why.rejected.map((one) => [data(one.batch, 60), data(one.source_file, 100), number(one.source_line), data(one.detail ?? one.reason, 200), data(one.text, 300)])),
    table("Images", ["Batch", "File", "State", "Detector", "Confidence"], why.images.map((one) => [data(one.batch, 60), data(one.image_file, 120), data(one.detail ?? one.status, 200), data(one.box), data(one.confidence)])),
    table("Releases", ["Version", "Place", "Partition", "Label", "Verification", "Moved from"], why.releases.map((one) => [one.version, one.place, data(one.split), data(Object.values(one.labels).filter(Boolean).at(-1), 200), data(one.verification_status), data([one.moved_from, one.moved_reason].filter(Boolean).join(": ") || null)])),
    table("What changed from release to release", ["Release", "Field", "Before", "After"], found.changed.map((one) => [`${one.before} → ${one.version}`, one.field, data(one.old, 300), data(one.new, 300)])),
    why.problems.length > 0 && h("ul", { class: "wrong" }, why.problems.map((one) => h("li", {}, data(one, 500)))),
  );
  fill();
  if (found.row["coord-lat"] !== null && found.row["coord-lat"] !== undefined) {
    const places = [{ lat: found.row["coord-lat"], lon: found.row["coord-lon"], kind: "made", title: `${processid}: ${found.row["coord-lat"]}, ${found.row["coord-lon"]}` }];
    for (const row of own) {
      const said = store.doubts.get("kind", row) === "place" ? store.doubts.get("proposed", row) : null;
      if (!said) continue;
      const [lat, lon] = said.split(", ").map(Number);
      places.push({ lat, lon, kind: "proposed", title: `proposed: ${said}` });
    }
    map(places).then((drawn) => place.append(drawn), () => {});
  }
  if (found.row.x0 !== null && found.row.x0 !== undefined) outlined(processid, found.row, image, masked);
  read(`barcodes/${encodeURIComponent(processid)}.json`).then((one) => clear(barcode, neighbours(one, found)), (error) => clear(barcode, h("p", { class: "wrong" }, error.message)));
  return onStates(fill);
}

function doubts(own) {
  return [h("h2", {}, "Doubts"), own.length === 0 && h("p", {}, "There are no doubts about it."), own.map((row) => {
    const proposed = store.doubts.get("kind", row) === "place" ? store.doubts.get("proposed", row) : null;
    const id = store.doubts.get("rule", row);
    return h("div", { class: "doubt" }, h("p", {}, rule(id), ": ", store.words.rules[id]?.statement ?? "", store.doubts.get("why", row) && [h("br"), data(store.doubts.get("why", row), 300)]),
      h("p", {}, stateLine(row)),
      store.doubts.get("processid", row) ? [buttons(row), proposed && h("button", { type: "button", onclick: () => settle(row, proposed) }, `Set ${proposed}`)]
        : h("a", { class: "button", href: `#/doubt/${store.doubts.get("id", row)}` }, "Compare"));
  })];
}

async function settle(row, proposed) {
  const { save } = await import("./decisions.js");
  const processid = store.doubts.get("processid", row);
  await save([{ ...answer(row, "accept"), action: "set", field: "coord", value: proposed, reason: "wrong_metadata" }], `coordinates of ${processid}: ${proposed}`);
}

function lines(processid, found) {
  const about = Object.entries(store.states.lines).filter(([, one]) => one.processid === processid || (one.group && one.group === found.row.dna_bin) || one.group === `barcode:${processid}`
    || found.labels.some((label) => one.rank === label.rank && one.name === label.normalised));
  return about.length > 0 && linesTable("Decisions", about);
}

function neighbours(one, found) {
  const heads = ["Barcode", "Records", "Label", "BIN", "Similar", "Bases that differ"];
  const row = (other) => [h("div", {}, strip(other.placed, 14, other.differing), h("br"), h("a", { href: `#/specimen/${encodeURIComponent(other.processid)}` }, data(other.processid))),
    number(other.records), data(other.labels.join("; ") || null, 120), data(other.bins.join("; ") || null, 80),
    other.similarity === undefined ? "" : `${(100 * other.similarity).toFixed(1)} %`, h("span", { class: "faint" }, differences(one.reference, other))];
  if (!one.reference) return [h("h2", {}, "Barcode"), h("p", {}, "It has no barcode.")];
  const facts = found.barcode;
  return [h("h2", {}, "Barcode"), strip(one.reference, 24),
    h("p", {}, `${facts.barcode_length} bp, longest unambiguous run ${facts.unambiguous_run} bp, BIN `, data(one.dna_bin), one.records === 1 ? ". One record has this barcode: " : `. ${number(one.records)} records have this barcode: `,
      one.same.slice(0, 12).map((other) => [h("a", { href: `#/specimen/${encodeURIComponent(other.processid)}` }, data(other.processid)), " "])),
    h("details", {}, h("summary", {}, "Letters"), h("p", { class: "letters-text" }, data(facts.dna_barcode))),
    one.bin.length > 0 && table("Other barcodes of its BIN", heads, one.bin.map(row)),
    one.nearest.length > 0 ? table("Nearest barcodes of the corpus", heads, one.nearest.map(row)) : h("p", {}, "No other barcode of the corpus is at least 80 % similar.")];
}
