// The page of a specimen on written pages: what the worklist knows of it, and the forms that decide.

import { clear, data, h, table } from "./dom.js";
import { buttons, linesTable, placeForm, relabelForm, stateLine } from "./decisions.js";
import { map, outlined, picture, strip } from "./pictures.js";
import { taxonLink } from "./taxon_link.js";
import { bold, rule } from "./worklist.js";
import { details, need, onStates, store } from "./store.js";

export async function specimen(page, processid) {
  const { doubts } = store;
  const own = doubts.all.filter((row) => doubts.get("processid", row) === processid || doubts.get("shown", row) === processid);
  if (!own.length) {
    clear(page, h("h1", {}, data(processid, 100)), h("p", { class: "wrong" }, "These pages have doubts only, and none is about it. Look into the corpus with bioscan-etl desk or bioscan-etl why."));
    return () => {};
  }
  await need(own[0]);
  const one = details(own[0]);
  if (!one) {
    clear(page, h("h1", {}, data(processid), " ", bold(processid)), h("p", {}, "These pages have no more of it than its doubts. Its image, labels and barcode are in the corpus: bioscan-etl desk, or bioscan-etl why."), own.map(doubt));
    return () => {};
  }
  const get = (name) => doubts.get(name, own[0]);
  const evidenceOf = (kind) => { const row = own.find((other) => doubts.get("kind", other) === kind); return row === undefined ? null : doubts.get("evidence", row); };
  const scopes = [{ title: `specimen ${processid}`, target: { processid } }];
  if (one.dna_barcode) scopes.push({ title: "all with its barcode", target: { group: `barcode:${processid}` } });
  if (one.dna_bin) scopes.push({ title: `BIN ${one.dna_bin}`, target: { group: one.dna_bin } });
  const decided = h("section", {});
  const place = h("div", { class: "mapped" });
  const image = picture(processid, one, "images");
  const masked = h("span", {});
  const fill = () => clear(decided, h("h2", {}, "Doubts"), own.map(doubt), lines(processid, one));
  clear(page, h("h1", {}, data(processid), " ", bold(processid)),
    h("p", { class: "lead" }, get("label_made") ? taxonLink(get("label_made"), "any", 200) : data(get("label_delivered"), 200), get("label_made") === null ? ", not released" : "", h("br"), h("span", { class: "faint" }, "batch ", data(get("batch"), 60))),
    h("div", { class: "two" }, h("figure", {}, image, h("figcaption", {}, masked)), decided),
    h("h2", {}, "Labels"),
    table("Labels as delivered, and in the release", ["Rank", "Delivered", "Release"], one.labels.map(({ rank, delivered, made }) => [rank, data(delivered, 500), delivered === made ? data(made, 500) : h("mark", {}, data(made, 500))])),
    h("div", { class: "two" }, relabelForm(scopes, evidenceOf("label")), placeForm(processid, evidenceOf("place"))),
    h("h2", {}, "Place"), h("p", {}, data(one.province_state, 200), ", ", data(one.country, 200)), place,
    h("h2", {}, "Barcode"), strip(one.dna_barcode, 24), h("p", {}, "BIN ", data(one.dna_bin)),
    h("p", { class: "faint" }, "Rows, changes, neighbours and releases are in the corpus: bioscan-etl desk, or bioscan-etl why."));
  fill();
  if (image.querySelector("img") && one.x0 !== null) outlined(processid, one, image, masked);
  if (one["coord-lat"] !== null && one["coord-lat"] !== undefined) {
    map([{ lat: one["coord-lat"], lon: one["coord-lon"], kind: "made", title: `${processid}: ${one["coord-lat"]}, ${one["coord-lon"]}` }]).then((drawn) => place.append(drawn), () => {});
  }
  return onStates(fill);
}

function doubt(row) {
  const get = (name) => store.doubts.get(name, row);
  return h("div", { class: "doubt" }, h("p", {}, rule(get("rule")), ": ", store.words.rules[get("rule")]?.statement ?? "", get("why") && [h("br"), data(get("why"), 300)]),
    h("p", {}, stateLine(row)), get("processid") ? buttons(row) : h("a", { class: "button", href: `#/doubt/${get("id")}` }, "Compare"));
}

function lines(processid, one) {
  const about = Object.entries(store.states.lines).filter(([, line]) => line.processid === processid || (line.group && line.group === one.dna_bin) || line.group === `barcode:${processid}`);
  return about.length > 0 && linesTable("Decisions", about);
}
