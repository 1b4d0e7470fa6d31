// The first page: what waits, what came in, and what the last decisions did.

import { clear, data, h, number, table } from "./dom.js";
import { linesTable } from "./decisions.js";
import { about, downloads, pagesOf } from "./source.js";
import { onStates, read, stateOf, store } from "./store.js";
import { showTrends } from "./trends.js";

export async function front(page) {
  const counted = h("section", {});
  const arrived = h("section", {});
  const rest = h("section", {}, h("p", {}, "Loading batches …"));
  const changed = h("section", { class: "trends" }, h("p", { class: "faint" }, "Counting releases and batches …"));
  clear(page, h("h1", {}, "What waits for you"), counted, arrived, rest, changed);
  const count = () => clear(counted, doubts());
  count();
  const end = onStates(count);
  const known = read("front.json");
  known.then((found) => clear(rest, batches(found), decided(found), releases(found)),
    (error) => clear(rest, h("p", { class: "wrong" }, error.message)));
  showTrends(changed, (found) => known.then((one) => clear(arrived, came(one, found)), () => {}));
  return end;
}

// What came in since the release before the last one, and what became of it.
function came(found, { arrivals, releases: versions }) {
  const since = (one) => {
    const known = arrivals[one.batch];
    if (!known) return "in no release yet";
    if (one.delivery && one.delivery !== known.delivery) return `delivered again, after ${known.since}`;
    return known.new ? `${known.again ? "delivered again" : "new"} in ${known.since}` : null;
  };
  const rows = found.batches.map((one) => [one, since(one)]).filter(([, said]) => said);
  const before = versions.at(-2);
  const title = before ? `What came in since ${before}` : "What came in";
  if (!rows.length) return [h("h2", {}, title), h("p", {}, "Nothing.")];
  const sum = (name) => rows.reduce((total, [one]) => total + (one.counts[name] ?? 0), 0);
  const failed = rows.filter(([one]) => ["failed", "damaged"].includes(one.status)).length;
  return [h("h2", {}, title),
    h("p", {}, `${number(rows.length)} batches: ${number(sum("accepted"))} specimens released, ${number(sum("held"))} held back, ${number(sum("set_aside"))} rows set aside, ${number(sum("rejected"))} rejected; ${number(failed)} batches failed.`),
    table("Batches that came in, and what became of them", ["Batch", "When", "In: records", "In: images", "Out: released", "Held back", "Set aside", "Rejected", "State", "Why"], rows.map(([one, said]) => [
      data(one.batch, 60), said, number(one.records), number(one.images), number(one.counts.accepted), number(one.counts.held), number(one.counts.set_aside), number(one.counts.rejected),
      ["failed", "damaged"].includes(one.status) ? h("span", { class: "wrong" }, one.status) : one.status,
      data([...one.why, ...Object.entries(one.counts.gates ?? {}).map(([gate, count]) => `${gate} ${count}`)].join("; ") || null, 300),
    ]))];
}

// Doubts by kind and rule, and state; each number is a link to its list.
function doubts() {
  const sums = new Map();
  for (const row of store.doubts.all) {
    const key = `${store.doubts.get("kind", row)}\n${store.doubts.get("rule", row)}`;
    const one = sums.get(key) ?? { open: 0, changed: 0, decided: 0 };
    one[stateOf(row).state] += 1;
    sums.set(key, one);
  }
  const cell = (kind, rule, state, count) => (count
    ? h("a", { href: `#/doubts?${new URLSearchParams({ kind, ...(rule ? { rule } : {}), state })}` }, number(count)) : "0");
  const rows = [];
  for (const [kind, title] of Object.entries(store.words.kinds)) {
    const own = [...sums].filter(([key]) => key.startsWith(`${kind}\n`));
    if (!own.length) continue;
    const whole = { open: 0, changed: 0, decided: 0 };
    for (const [, one] of own) for (const state of Object.keys(whole)) whole[state] += one[state];
    rows.push([h("b", {}, title), h("span", { class: "faint" }, "all"), ...Object.entries(whole).map(([state, n]) => cell(kind, "", state, n))]);
    for (const [key, one] of own) {
      const rule = key.split("\n")[1];
      rows.push(["", h("abbr", { title: store.words.rules[rule]?.statement ?? "" }, rule), ...Object.entries(one).map(([state, n]) => cell(kind, rule, state, n))]);
    }
  }
  const open = store.doubts.all.filter((row) => stateOf(row).state === "open");
  const fresh = open.filter((row) => store.doubts.get("new", row));
  return [h("p", { class: "lead" }, h("a", { href: "#/doubts?state=open" }, `${number(open.length)} doubts are open`),
    fresh.length > 0 && [", ", h("a", { href: `#/doubts?${new URLSearchParams({ state: "open", new: store.doubts.get("new", fresh[0]) })}` }, `${number(fresh.length)} of them new ${store.doubts.get("new", fresh[0])}`)], ". ",
    h("a", { class: "button main", href: "#/review?state=open" }, "Review images")),
  table("Doubts by kind and rule", ["Kind", "Rule", "Open", "Look again", "Decided"], rows, { class: "counts" })];
}

function batches(found) {
  const next = found.next_run;
  return [h("h2", {}, "Batches"), found.problems.map((one) => h("p", { class: "wrong" }, data(one))),
    table("What came in and what became of it", ["Batch", "State", "Records", "Images", "Released", "Held back", "Set aside", "Rejected", "Why"], found.batches.map((one) => [
      pagesOf(one.batch) ? h("a", { href: pagesOf(one.batch) }, data(one.batch, 60)) : data(one.batch, 60), one.status, number(one.records), number(one.images), number(one.counts.accepted), number(one.counts.held),
      number(one.counts.set_aside), number(one.counts.rejected),
      data([...one.why, ...Object.entries(one.counts.gates ?? {}).map(([gate, count]) => `${gate} ${count}`)].join("; ") || null, 300),
    ])),
    Object.entries(found.folders ?? {}).length > 0 && table("Folders that have not landed", ["Folder", "What is known"], Object.entries(found.folders).map(([name, known]) => [data(name, 80), data(known, 300)])),
    next && h("p", {}, next.blocked ? `The next run makes no release: ${next.blocked}` : next.to_ingest.length ? `The next run ingests ${next.to_ingest.join(", ")}.`
      : next.reasons.length ? `The next run makes a release: ${next.reasons.join("; ")}.` : "The next run has nothing to do.")];
}

function decided(found) {
  const counts = Object.entries(found.decision_counts).map(([status, count]) => `${count} ${status.replace("_", " ")}`).join(", ");
  return [h("h2", {}, "Decisions"), h("p", {}, counts || "There are no decisions yet.",
    found.taken_away ? ` ${number(found.taken_away)} lines were taken away since the last run, which the next one undoes.` : ""),
  found.refused.map((one) => h("p", { class: "wrong" }, data(`${one.file}: ${one.problem}`, 400))),
  found.decisions.length > 0 && linesTable("What the last decisions did", found.decisions.slice(0, 30).map((one) => [one.id, one]),
    (one) => [one.status.replace("_", " "), one.specimens ? ` (${number(one.specimens)} specimen${one.specimens === 1 ? "" : "s"})` : "", one.detail ? [": ", data(one.detail, 200)] : ""]),
  h("p", {}, h("a", { href: "#/decisions" }, "All decisions"))];
}

function releases(found) {
  return [h("h2", {}, "Releases"), table("Releases, newest first", ["Version", "Specimens", "Held back", "Set aside", "Rejected", "Problem"], found.releases.map((one) => [
    one.version + (one.latest ? " (latest)" : ""), number(one.specimens), number(one.quarantined), number(one.set_aside), number(one.rejected), data(one.problem || null, 200),
  ]))];
}

// All lines of decisions, as they are now.
export function decisions(page) {
  const shown = h("section", {});
  const fill = () => {
    const lines = Object.entries(store.states.lines).sort(([, one], [, two]) => (one.date < two.date ? 1 : one.date > two.date ? -1 : 0));
    clear(shown, store.states.refused.map((one) => h("p", { class: "wrong" }, data(`${one.file}: ${one.problem}`, 400))),
      lines.length ? linesTable(`Decisions (${number(lines.length)})`, lines.slice(0, 2000), () => "counts from the next run on, or already") : h("p", {}, "There are no decisions yet."));
  };
  clear(page, h("h1", {}, "Decisions"), h("p", {}, about),
    h("p", {}, downloads.map(([name, title]) => [h("a", { class: "button", href: name, download: name }, title), " "])), shown);
  fill();
  return onStates(fill);
}
