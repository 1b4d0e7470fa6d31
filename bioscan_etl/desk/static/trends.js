// What changed in the data: trends over releases and batches, shifts, the detector, settings and code, expectations.

import { clear, data, h, number, svg, table } from "./dom.js";
import { csv } from "./filters.js";
import { read, store } from "./store.js";

const MOST = 8; // points of a trend that are shown, the last ones; the download has all
const [WIDE, HIGH] = [88, 22];
const BOXES = { detected: "one specimen", low_confidence: "not sure", empty: "empty", multiple: "several specimens", unreadable: "unreadable",
  confidence: "mean confidence", exposure: "mean brightness (0 to 255)", blur: "mean sharpness (variance of the Laplacian)", detector: "detector" };

const percent = (share) => (share === null || share === undefined ? "" : share !== 0 && Math.abs(share) < 0.0005 ? "<0.1 %" : `${(100 * share).toFixed(1)} %`);

// A line of values, from none at all to the highest of them. It says nothing that the row beside it does not.
export function spark(values) {
  const known = values.map((value) => (typeof value === "number" ? value : null));
  const highest = Math.max(0, ...known.filter((value) => value !== null));
  const x = (place) => (known.length < 2 ? WIDE / 2 : 3 + (place * (WIDE - 6)) / (known.length - 1));
  const y = (value) => HIGH - 3 - (highest ? (value / highest) * (HIGH - 6) : 0);
  const points = known.map((value, place) => (value === null ? null : [x(place), y(value)])).filter(Boolean);
  if (!points.length) return "";
  return svg("svg", { class: "spark", viewBox: `0 0 ${WIDE} ${HIGH}`, width: WIDE, height: HIGH, "aria-hidden": "true" },
    svg("polyline", { points: points.map((point) => point.map((one) => one.toFixed(1)).join(",")).join(" ") }),
    svg("circle", { cx: points.at(-1)[0].toFixed(1), cy: points.at(-1)[1].toFixed(1), r: 2.5 }));
}

export function save(name, heads, rows) {
  const link = h("a", { href: URL.createObjectURL(new Blob([csv(rows, heads, (row) => row)], { type: "text/csv" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// A table of series: a title, its line, and its last values. `rows` have title, values (for the line) and shown.
function series(caption, first, points, rows, file) {
  if (!points.length || !rows.length) return h("p", { class: "faint" }, `${caption}: nothing yet`);
  const from = Math.max(0, points.length - MOST);
  return [table(`${caption}${from ? ` (the last ${MOST} of ${number(points.length)})` : ""}`, [first, "Trend", ...points.slice(from).map((point) => data(point, 40))],
    rows.map((row) => [row.title, spark(row.values.slice(from)), ...row.shown.slice(from)]), { class: "series" }),
  h("p", {}, h("button", { type: "button", class: "small", onclick: () => save(file, [first, ...points], rows.map((row) => [row.name, ...row.values])) }, "Download CSV"))];
}

const ruleTitle = (row) => [h("abbr", { title: store.words.rules[row.rule]?.statement ?? "" }, row.rule), row.is_gate ? h("span", { class: "faint" }, " gate") : ""];
const counted = (row) => row.numbers.map((one, place) => (one ? `${number(one)} (${percent(row.shares[place])})` : "0"));
const ruleRows = (rows) => rows.map((row) => ({ title: ruleTitle(row), name: row.rule, values: row.shares, shown: counted(row) }));
const labelRows = (rows) => rows.map((row) => ({ title: row.rank, name: row.rank, values: row.shares, shown: counted(row) }));

// Long lists open on demand; what moved is in view.
const folded = (title, ...content) => h("details", {}, h("summary", {}, title), ...content.flat());

function shifts(caption, rows, more = () => []) {
  if (!rows.length) return null;
  const change = (one) => `${percent(one.before)} → ${percent(one.after)}`;
  return table(caption, [...(rows[0].batch ? ["Batch"] : []), "Distribution", "Distance", "What changed most"], rows.map((row) => [
    ...(row.batch ? [data(row.batch, 60)] : []), row.distribution.replace("_", " "), percent(row.distance),
    row.values.length ? row.values.map((one) => h("div", {}, data(one.value, 60), `: ${change(one)}`)) : "nothing", ...more(row)]));
}

function detectorRows(rows) {
  return rows.map((row) => ({ title: BOXES[row.measure] ?? row.measure, name: row.measure, values: row.values,
    shown: row.values.map((value) => (typeof value === "string" ? data(value, 40) : value === null ? data(null) : row.is_share ? percent(value) : value.toFixed(row.measure === "confidence" ? 3 : 1))) }));
}

function made(found) {
  if (found === undefined) return h("p", {}, "Settings, code and libraries are in manifest.json of the release.");
  if (!found) return h("p", {}, "There is no release yet.");
  const { desk } = found;
  const differing = (rows) => rows.map((one) => [one.name, data(one.default, 200), data(one.value, 200)]);
  const changed = found.stages.filter((one) => one.code !== one.before);
  return [h("p", {}, `${found.version}: `, found.settings.length ? `${number(found.settings.length)} settings are not the defaults. ` : "All settings are the defaults. ",
    found.before ? (changed.length ? `The code of ${number(changed.length)} stages has changed since ${found.before}. ` : `The code of all stages is that of ${found.before}. `) : "",
    `This desk runs bioscan-etl ${desk.version}`, desk.commit ? [", commit ", h("code", {}, data(desk.commit.slice(0, 12)))] : ", commit not known", "."),
  found.settings.length > 0 && table("Settings that are not the defaults", ["Setting", "Default", "Value"], differing(found.settings)),
  found.changed.length > 0 && table(`Settings that have changed since ${found.before}`, ["Setting", "Before", "Now"], differing(found.changed)),
  folded(`Code of ${number(found.stages.length)} stages, and libraries`,
    table("Code by stage, changed ones first", ["Stage", "Code", found.before ?? "Before"], found.stages.map((one) => [one.stage, data(one.code, 80), one.before === null ? "not there" : one.before === one.code ? "the same" : data(one.before, 80)])),
    table("Libraries", ["Library", "Version"], found.libraries.map((one) => [one.name, data(one.versions, 80)])))];
}

function expectations({ where, rows }) {
  const short = where.map((one) => one.replace(/^(release|batch) /, ""));
  const drawn = (some) => some.map((row) => ({ title: [row.expectation, " ", h("span", { class: "faint" }, row.table)], name: `${row.table} ${row.expectation}`,
    values: row.failing.map((failing, place) => (failing === null ? null : failing / Math.max(1, row.rows[place]))),
    shown: row.failing.map((failing, place) => (failing === null ? "–" : failing ? `${number(failing)} of ${number(row.rows[place])}` : "0")) }));
  const failed = rows.filter((row) => row.ever_failed);
  // Batches and releases are two series: a line across both would mean nothing.
  const split = (some, prefix, kind) => {
    const places = where.map((one, place) => (one.startsWith(prefix) ? place : -1)).filter((place) => place >= 0);
    const picked = drawn(some).map((row) => ({ ...row, values: places.map((place) => row.values[place]), shown: places.map((place) => row.shown[place]) }))
      .filter((row) => row.values.some((value) => value !== null));
    return series(`Failing rows by expectation and ${kind}`, "Expectation", places.map((place) => short[place]), picked, `expectations-by-${kind}.csv`);
  };
  return [h("p", {}, `${number(failed.length)} of ${number(rows.length)} expectations ever failed in what is still there.`),
    failed.length > 0 && [split(failed, "release ", "release"), split(failed, "batch ", "batch")],
    folded(`All ${number(rows.length)} expectations`, split(rows, "release ", "release"), split(rows, "batch ", "batch"))];
}

export function trends(found) {
  const batches = found.batches.map((one) => one.batch);
  const moved = found.rules.filter((row) => row.shares.length > 1 && row.shares.at(-1) !== row.shares.at(-2));
  return [found.problems.map((one) => h("p", { class: "wrong" }, data(one, 400))),
    h("h2", {}, "What changed in the data"),
    h("p", {}, "Shares are of all specimens that were accepted or held back. A distance of two distributions is the share of specimens that would have to change their value to make them equal."),
    found.releases.length > 1 && h("p", {}, moved.length ? `${number(moved.length)} gates and rules have another share than in the release before.` : "Every gate and rule has the share of the release before."),
    shifts(`Distributions of ${found.releases.at(-1)} against ${found.releases.at(-2)}`, found.release_shifts),
    series("Released specimens without a label, by release", "Rank", found.releases, labelRows(found.release_labels), "labels-by-release.csv"),
    folded(`Gates and rules over ${number(found.releases.length)} releases`, series("Specimens by gate or rule, by release", "Rule", found.releases, ruleRows(found.rules), "rules-by-release.csv")),
    folded(`Gates and rules over ${number(batches.length)} batches`, series("Specimens by gate or rule, by batch", "Rule", batches, ruleRows(found.batch_rules), "rules-by-batch.csv")),
    shifts("Distributions of a batch against all others, the farthest first", found.batch_shifts.slice(0, 5)),
    found.batch_shifts.length > 5 && folded("All distributions of batches", shifts("Distributions of a batch against all others", found.batch_shifts)),
    series("Specimens without a label, by batch", "Rank", batches, labelRows(found.batch_labels), "labels-by-batch.csv"),
    h("h2", {}, "The detector"),
    series("What the detector says of the images, by batch", "Measure", batches, detectorRows(found.detector), "detector-by-batch.csv"),
    h("h2", {}, "Settings and code"), made(found.made_by),
    h("h2", {}, "Expectations"), expectations(found.expectations)];
}

export const showTrends = (place, arrived) => read("trends.json").then((found) => { clear(place, trends(found)); arrived(found); },
  (error) => clear(place, h("p", { class: "wrong" }, error.message)));
