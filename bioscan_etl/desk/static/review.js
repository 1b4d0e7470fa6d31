// Review of images by keyboard: one large image, its box, and one key per answer.

import { clear, data, h, number, say } from "./dom.js";
import { accepts, answer, lacksBox, last, nameOf, rejecting, save, stateLine } from "./decisions.js";
import { drawable } from "./draw.js";
import { filtered, parsed, written } from "./filters.js";
import { actionOf, keys, setKeys } from "./keys.js";
import { picture } from "./pictures.js";
import { pictureOf } from "./source.js";
import { bold, rule } from "./worklist.js";
import { details, hasArrived, need, onStates, stateOf, store, undo } from "./store.js";

export function review(page, query) {
  const filters = parsed(query);
  const rows = filtered(filters).filter((row) => store.doubts.get("kind", row) === "image");
  let at = Math.max(0, rows.findIndex((row) => stateOf(row).state !== "decided"));
  let drawing = null;
  let rejectingNow = false;
  const steps = []; // what undo goes back by: a move, or a decision
  const stage = h("div", { class: "stage" });
  const facts = h("div", { class: "facts" });
  const help = h("p", { class: "keys" });

  function show() {
    drawing = null;
    rejectingNow = false;
    if (!rows.length) { clear(stage, h("p", {}, "No image is left under these filters.")); clear(facts); return; }
    const row = rows[at];
    const wanted = row;
    need(row).then(() => { if (rows[at] === wanted) fill(row); });
    for (const near of [at + 1, at + 2]) if (near < rows.length) preload(rows[near]);
    fill(row);
  }

  function fill(row) {
    const one = details(row);
    const processid = store.doubts.get("processid", row);
    if (!drawing) clear(stage, one ? picture(processid, one, "images") : h("p", {}, hasArrived(row) ? "These pages do not have it; look into the corpus with bioscan-etl desk." : "Loading …"));
    clear(facts, h("h2", {}, h("a", { href: `#/specimen/${encodeURIComponent(processid)}` }, data(processid))),
      h("p", {}, rule(store.doubts.get("rule", row)), ": ", store.words.rules[store.doubts.get("rule", row)]?.statement ?? ""),
      h("p", {}, data(store.doubts.get("why", row), 200)),
      h("p", {}, "Label: ", data(store.doubts.get("label_made", row) ?? store.doubts.get("label_delivered", row), 120), h("br"), "Batch: ", data(store.doubts.get("batch", row), 60), " ", bold(processid)),
      h("p", {}, stateLine(row)),
      rejectingNow && h("ol", { class: "reasons" }, rejecting().map(([name, meaning]) => h("li", {},
        h("button", { type: "button", class: name === last.reason ? "main" : "", onclick: () => rejectFor(name) }, meaning)))),
      h("p", { class: "faint" }, `${number(at + 1)} of ${number(rows.length)}`));
    const now = keys();
    clear(help, [["next", "next"], ["back", "back"], ["accept", accepts(row) ? "accept" : "sound"], ["reject", "reject"], ["draw", "draw the box"], ["undo", "undo"], ["help", "set keys"]]
      .map(([name, title]) => h("button", { type: "button", onclick: () => act(name) }, h("kbd", {}, now[name]), ` ${title}`)));
  }

  function preload(row) {
    need(row).then(() => {
      if (details(row)?.image_file && details(row).image_status !== "unreadable") {
        const src = pictureOf(store.doubts.get("processid", row), "images");
        if (src) new Image().src = src;
      }
    });
  }

  function move(to, isStep = true) {
    if (to < 0 || to >= rows.length) { say(to < 0 ? "This is the first image" : "This was the last image"); return; }
    if (isStep) steps.push({ from: at });
    at = to;
    show();
  }

  async function settle(line, said) {
    const from = at;
    if (!await save([line], said)) return;
    steps.push({ from, saved: true });
    if (at === from && at + 1 < rows.length) move(at + 1, false);
    else fill(rows[at]);
  }

  function rejectFor(reason) {
    last.reason = reason;
    rejectingNow = false;
    settle(answer(rows[at], "reject", { reason }), `reject ${nameOf(rows[at])}`);
  }

  async function act(name) {
    if (name === "help") { await setKeys(); if (rows.length) fill(rows[at]); return; }
    if (name === "undo") {
      const step = steps.pop();
      if (!step) { say("Nothing to undo on this page"); return; }
      try {
        if (step.saved) say(`Undone: ${await undo()}`);
        move(step.from, false);
      } catch (error) { steps.push(step); say(`Not undone: ${error.message}`, true); }
      return;
    }
    if (!rows.length) return;
    const row = rows[at];
    if (name === "next") move(at + 1);
    else if (name === "back") move(at - 1);
    else if (name === "open") location.hash = `#/specimen/${encodeURIComponent(store.doubts.get("processid", row))}`;
    else if (name === "reject") { if (rejectingNow) rejectFor(last.reason); else { rejectingNow = true; fill(row); } }
    else if (name === "draw") draw(row);
    else if (name === "accept") {
      if (lacksBox(row)) { say("There is no box: draw one first", true); return; }
      await settle(answer(row, "accept"), `${accepts(row) ? "accept" : "sound"} ${nameOf(row)}`);
    }
  }

  function draw(row) {
    const one = details(row);
    const image = stage.querySelector("img");
    if (!one?.width_original || !image) { say("This image cannot be shown, so no box can be drawn", true); return; }
    const processid = store.doubts.get("processid", row);
    drawing = drawable(one, {
      save: async (box) => {
        drawing = null;
        await settle({ processid, action: "box", value: box.join(" "), reason: "wrongly_cropped", evidence: store.doubts.get("evidence", row) }, `box of ${processid}`);
      },
      leave: () => { drawing = null; show(); },
    });
    stage.querySelector(".box")?.remove();
    stage.querySelector(".picture").append(drawing.element);
    drawing.element.focus();
    say("Drag a box, or move it with the arrows. Enter saves it, Escape leaves it.");
  }

  const pressed = (event) => {
    if (drawing) return; // the drawing has its own keys
    if (rejectingNow && /^[1-9]$/.test(event.key) && rejecting()[event.key - 1]) { event.preventDefault(); rejectFor(rejecting()[event.key - 1][0]); return; }
    if (rejectingNow && event.key === "Escape") { rejectingNow = false; fill(rows[at]); return; }
    const name = actionOf(event);
    if (name) { event.preventDefault(); act(name); }
  };
  document.addEventListener("keydown", pressed);
  const end = onStates(() => { if (rows.length && !drawing) fill(rows[at]); });
  clear(page, h("h1", {}, "Review of images"), h("p", {}, h("a", { href: `#/doubts?${written(filters)}` }, "Back to the list")), help, h("div", { class: "review" }, stage, facts));
  show();
  return () => { document.removeEventListener("keydown", pressed); end(); };
}
