// The worklist: every doubt, filtered, sorted, searched; decisions about one or all of them.

import { clear, data, h, number } from "./dom.js";
import { acceptAll, buttons, nameOf, reject, stateLine } from "./decisions.js";
import { csv, FIELDS, looked, parsed, prepare, SORTS, written } from "./filters.js";
import { list } from "./list.js";
import { picture, smallMap, strip } from "./pictures.js";
import { relabelAll } from "./many.js";
import { taxonLink } from "./taxon_link.js";
import { details, need, onStates, store, stateOf } from "./store.js";

const HEIGHT = 104;
const COLUMNS = ["kind", "rule", "processid", "rank", "name", "group", "batch", "new", "specimens", "label_delivered", "label_made", "country", "why", "proposed"];
const STATES = { open: "open", changed: "look again", decided: "decided" };

export function worklist(page, query) {
  const filters = parsed(query);
  let rows = [];
  const summary = h("p", { class: "summary", role: "status" });
  const rowsOf = list("Doubts", HEIGHT, drawn);
  const search = h("input", { type: "search", name: "q", value: filters.q, autocomplete: "off", placeholder: "process ID, label, country …" });
  const selects = Object.fromEntries(["kind", "rule", "batch", "new", "state"].map((name) => [name, h("select", { name })]));
  const sort = h("select", { name: "sort" }, Object.entries(SORTS).map(([value, title]) => h("option", { value, selected: value === filters.sort }, title)));
  const review = h("a", { class: "button" }, "Review images");
  const form = h("form", { class: "filters", role: "search" },
    h("label", {}, "Search ", search),
    ...Object.entries(selects).map(([name, select]) => h("label", {}, `${name[0].toUpperCase()}${name.slice(1)} `, select)),
    h("label", {}, "Sort ", sort));
  const all = h("p", { class: "buttons" }, review,
    h("button", { type: "button", onclick: () => acceptAll(rows) }, "Settle all shown"),
    h("button", { type: "button", onclick: () => reject(rows.filter((row) => store.doubts.get("processid", row))) }, "Reject all shown"),
    h("button", { type: "button", onclick: () => relabelAll(rows) }, "Relabel all shown"),
    h("button", { type: "button", onclick: download }, "Download CSV"));

  function changed() {
    for (const name of FIELDS) filters[name] = (form.elements[name]?.value ?? "").trim();
    const text = written(filters);
    history.replaceState(null, "", `#/doubts${text ? `?${text}` : ""}`);
    update();
  }

  function update() {
    const found = looked(filters);
    rows = found.rows;
    rowsOf.set(rows);
    summarise(found.counts);
  }

  function summarise(counts) {
    summary.textContent = `${number(rows.length)} of ${number(store.doubts.count)} doubts`;
    review.setAttribute("href", `#/review?${written({ ...filters, kind: "image" })}`);
    for (const [name, select] of Object.entries(selects)) {
      const found = counts[name];
      // Without an earlier release nothing is new.
      if (name === "new") select.parentElement.hidden = store.doubts.columns.new.values.length === 0;
      const titles = name === "kind" ? store.words.kinds : name === "state" ? STATES : {};
      if (filters[name] && !found.has(filters[name])) found.set(filters[name], 0);
      clear(select, h("option", { value: "" }, "all"), [...found].sort(name === "kind" ? byKind : byText).map(([value, count]) =>
        h("option", { value, selected: value === filters[name] }, `${titles[value] ?? value} (${number(count)})`)));
    }
  }

  let typing = 0;
  search.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(changed, 60); });
  form.addEventListener("change", changed);
  form.addEventListener("submit", (event) => { event.preventDefault(); changed(); });
  rowsOf.element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target === rowsOf.element && rowsOf.chosen !== undefined) location.hash = link(rowsOf.chosen);
  });

  function download() {
    const text = csv(rows, [...COLUMNS, "state"], (row) => [...COLUMNS.map((name) => store.doubts.get(name, row)), stateOf(row).state]);
    const link = h("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "doubts.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  clear(page, h("h1", {}, "Doubts"), form, h("div", { class: "bar" }, summary, all), rowsOf.element);
  update();
  prepare();
  // A decision leaves the list as it is, so that the next row is where it was.
  const end = onStates(() => { rowsOf.redraw(); summarise(looked(filters).counts); });
  return end;
}

const byText = ([one], [two]) => (one < two ? -1 : 1);
const byKind = ([one], [two]) => Object.keys(store.words.kinds).indexOf(one) - Object.keys(store.words.kinds).indexOf(two);

export const link = (row) => {
  const kind = store.doubts.get("kind", row);
  const isAlone = store.doubts.get("processid", row) && !["duplicate", "report"].includes(kind);
  return isAlone ? `#/specimen/${encodeURIComponent(store.doubts.get("processid", row))}` : `#/doubt/${store.doubts.get("id", row)}`;
};

export const bold = (processid) => h("a", { href: `https://portal.boldsystems.org/record/${encodeURIComponent(processid)}`, rel: "noopener noreferrer", target: "_blank" }, "BOLD");

export const rule = (id) => h("abbr", { title: store.words.rules[id]?.statement ?? "" }, id);

// Label as delivered, and what was made of it.
function labels(row) {
  const [before, after] = [store.doubts.get("label_delivered", row), store.doubts.get("label_made", row)];
  if (after === null) return [data(before, 60), h("div", { class: "faint" }, "not released")];
  return before === after ? taxonLink(after, "any", 60) : [data(before, 60), h("span", { class: "arrow", "aria-label": "became" }, " → "), taxonLink(after, "any", 60)];
}

function drawn(row) {
  const get = (name) => store.doubts.get(name, row);
  const processid = get("processid");
  const shown = get("shown");
  const thumb = h("div", { class: "thumb" });
  const letters = h("div", { class: "letters" });
  const place = h("div", { class: "place" }, data(get("country"), 40));
  const fill = (one) => {
    if (!one) {
      if (shown) clear(letters, h("span", { class: "none" }, "no details on these pages"));
      return;
    }
    clear(thumb, shown ? picture(shown, one) : "");
    clear(letters, strip(one.dna_barcode));
    if (one["coord-lat"] !== null && one["coord-lat"] !== undefined) place.append(h("br"), h("span", { class: "faint" }, `${one["coord-lat"].toFixed(2)}, ${one["coord-lon"].toFixed(2)}`), smallMap(one["coord-lat"], one["coord-lon"]));
  };
  const known = details(row);
  if (known) fill(known);
  else need(row).then(() => fill(details(row)));
  return h("div", {},
    thumb,
    h("div", { class: "what" },
      h("a", { href: link(row) }, data(nameOf(row), 60)), " ", processid && bold(processid),
      h("div", {}, rule(get("rule")), " ", h("span", { class: "faint" }, data(get("batch"), 30))),
      get("kind") === "report" && get("proposed") !== null && h("div", { class: "why" }, "Suggested: ", data(get("proposed"), 100)),
      h("div", { class: "why" }, data(get("why"), 140))),
    h("div", { class: "label" }, get("kind") === "typo" ? [data(get("name"), 60), h("span", { class: "arrow" }, " → "), data(get("proposed"), 60)] : labels(row), letters),
    place,
    h("div", { class: "answer" }, stateLine(row), ["conflict", "typo", "species", "report"].includes(get("kind"))
      ? h("div", { class: "buttons" }, h("a", { class: "button", href: link(row) }, "Compare")) : buttons(row)));
}
