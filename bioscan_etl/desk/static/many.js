// Decisions about many specimens at once: a BIN, a barcode, a taxon. Each says how many they are before it is saved.

import { ask, data, h, number, say } from "./dom.js";
import { noteField, reasonField, save } from "./decisions.js";
import { read, store } from "./store.js";

const ANSWERS = { relabel: "set a label", keep: "leave them as they are: their labels are right", reject: "reject them all" };

export const ofBarcode = (processid) => ({ title: "all with its barcode", path: `barcode/${encodeURIComponent(processid)}` });
export const ofBin = (bin) => ({ title: `BIN ${bin}`, path: `bin/${encodeURIComponent(bin)}` });
export const ofTaxon = (rank, name) => ({ title: `${rank} ${name}`, path: `${rank}/${encodeURIComponent(name)}`, isTaxon: true });

// What a group of a doubt is.
export const ofGroup = (group) => (group.startsWith("barcode:") ? { ...ofBarcode(group.slice(8)), title: group } : ofBin(group));

export function groupForm(scopes, evidence) {
  const label = [h("label", {}, "Rank ", h("select", { name: "field" }, store.words.ranks.map((rank) => h("option", { value: rank, selected: rank === "species" }, rank)))),
    h("label", {}, "Label ", h("input", { name: "value", maxlength: "200", autocomplete: "off", placeholder: "blank clears it" }))];
  const answer = h("select", { name: "answer" }, Object.entries(ANSWERS).map(([name, title]) => h("option", { value: name }, title)));
  const form = h("form", { class: "decide" }, h("h3", {}, "Decide for a group"),
    h("label", {}, "Of ", h("select", { name: "scope" }, scopes.map((scope, place) => h("option", { value: place }, scope.title.slice(0, 80))))),
    h("label", {}, "Answer ", answer), label, reasonField("misidentified"), noteField(), h("button", { class: "main" }, "Count and decide"));
  answer.addEventListener("change", () => { for (const one of label) one.hidden = answer.value !== "relabel"; });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(form));
    const scope = scopes[given.scope];
    const button = form.querySelector("button.main");
    button.disabled = true;
    say("Counting its specimens …");
    try {
      const found = await read(`groups/${scope.path}.json`);
      say("");
      await decideFor(scope, found, given, evidence);
    } catch (error) { say(`Not saved: ${error.message}`, true); }
    button.disabled = false;
  });
  return form;
}

async function decideFor(scope, found, { answer, field, value, reason, note }, evidence) {
  const cells = { reason, note: note || null };
  const label = value.trim() || null;
  const each = answer === "reject";
  if (answer === "keep" && scope.isTaxon) { say("Of a taxon, say that its name is spelt rightly where it is doubted; decide on its specimens one by one or by BIN", true); return; }
  if (each && found.count > found.processids.length) { say(`${number(found.count)} specimens are too many to reject at once; choose a smaller group`, true); return; }
  const says = answer === "relabel" ? `${field} ${label ? `becomes ${label}` : "is cleared"}` : ANSWERS[answer];
  const text = h("div", {}, h("p", {}, h("b", {}, `${number(found.count)} specimens are affected`), `: ${number(found.released)} released, ${number(found.held)} held back. `,
    each ? "Each gets a line of its own." : "They get one line, which also counts for specimens that come later."),
  h("p", {}, "Labels: ", found.labels.map(([name, count]) => [data(name, 60), ` (${number(count)}) `]), found.all_labels > found.labels.length ? `and ${number(found.all_labels - found.labels.length)} more` : ""),
  h("p", { class: "faint" }, found.processids.slice(0, 8).join(" "), found.count > 8 ? " …" : ""));
  const agreed = await ask(`${scope.title.slice(0, 80)}: ${says.slice(0, 120)}?`, text, [], `Decide for ${number(found.count)}`);
  if (!agreed) return;
  const lines = each ? found.processids.map((processid) => ({ processid, action: "reject", ...cells }))
    : [{ ...found.target, action: answer, ...(answer === "relabel" ? { field, value: label, evidence } : {}), ...cells }];
  await save(lines, `${scope.title}: ${says} (${number(found.count)} specimens)`);
}

// The same label for all specimens that a list shows.
export async function relabelAll(rows) {
  const processids = [...new Set(rows.map((row) => store.doubts.get("processid", row)).filter(Boolean))];
  if (!processids.length) { say("No doubt about a single specimen is shown", true); return; }
  const values = await ask(`Relabel ${number(processids.length)} specimens?`, "These are the specimens of all doubts that are shown. Each gets a line of its own. A blank label clears the rank.", [
    h("label", {}, "Rank ", h("select", { name: "field" }, store.words.ranks.map((rank) => h("option", { value: rank, selected: rank === "species" }, rank)))),
    h("label", {}, "Label ", h("input", { name: "value", maxlength: "200", autocomplete: "off" })), reasonField("misidentified"), noteField()], `Relabel ${number(processids.length)}`);
  if (!values) return;
  const cells = { action: "relabel", field: values.field, value: values.value.trim() || null, reason: values.reason, note: values.note || null };
  await save(processids.map((processid) => ({ processid, ...cells })), `${values.field} of ${number(processids.length)} specimens: ${cells.value ?? "cleared"}`);
}
