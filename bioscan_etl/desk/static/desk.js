// Which page is shown, and what is on every page.

import { clear, h, say } from "./dom.js";
import { decisions, front } from "./front.js";
import { group } from "./group.js";
import { review } from "./review.js";
import { who } from "./source.js";
import { specimen } from "./specimen.js";
import { taxon } from "./taxon.js";
import { worklist } from "./worklist.js";
import { load, onRun, onStates, refresh, store, undo } from "./store.js";

const PAGES = { "": front, doubts: worklist, review, specimen, doubt: group, decisions, taxon };
const LINKS = [["#/", "Start"], ["#/doubts?state=open", "Doubts"], ["#/review?state=open", "Images"], ["#/decisions", "Decisions"]];
const page = document.querySelector("#page");
const undoButton = document.querySelector(".undo");
let end = () => {};
let shown = 0;

async function route() {
  const [, name = "", rest = ""] = /^#?\/?([a-z]*)[/?]?(.*)$/s.exec(location.hash) ?? [];
  const make = PAGES[name] ?? front;
  end();
  end = () => {};
  shown += 1;
  const turn = shown;
  let given = rest;
  if (make === specimen || make === group) { try { given = decodeURIComponent(rest); } catch { given = rest; } }
  for (const link of document.querySelectorAll("nav a")) link.toggleAttribute("aria-current", link.hash.split("?")[0] === `#/${name}`);
  const done = await make(page, given);
  if (turn === shown) end = done ?? end;
  else done?.();
  document.title = `${page.querySelector("h1")?.textContent.slice(0, 80) ?? "Desk"} – ${store.words.corpus}`;
  window.scrollTo(0, 0);
  if (turn === shown) document.body.dataset.shown = location.hash; // whoever drives a browser waits for it
}

async function start() {
  try {
    await load();
  } catch (error) {
    clear(page, h("h1", {}, "The desk cannot open"), h("p", { class: "wrong" }, error.message));
    return;
  }
  clear(document.querySelector("nav"), LINKS.map(([href, title]) => h("a", { href }, title)),
    h("form", { class: "find", role: "search", onsubmit: (event) => {
      event.preventDefault();
      const wanted = new FormData(event.target).get("processid").trim();
      if (wanted) location.hash = `#/specimen/${encodeURIComponent(wanted)}`;
    } }, h("input", { name: "processid", "aria-label": "Open a specimen by its process ID", placeholder: "Process ID", size: "14", autocomplete: "off" })));
  who(document.querySelector(".who"), store.words);
  undoButton.addEventListener("click", async () => {
    try {
      const said = await undo();
      say(said ? `Undone: ${said}` : "Nothing to undo");
    } catch (error) { say(`Not undone: ${error.message}`, true); }
    follow();
  });
  onStates(() => queueMicrotask(follow));
  onRun(() => { say("A run has listed the doubts anew"); route(); });
  window.addEventListener("hashchange", route);
  // Another curator may have decided meanwhile.
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh().catch(() => {}); });
  await route();
  document.body.dataset.ready = "yes";
}

function follow() {
  // The list of undos grows after the states are set.
  setTimeout(() => {
    const last = store.undo.at(-1);
    undoButton.disabled = !last;
    undoButton.textContent = last ? `Undo: ${last.said.slice(0, 60)}` : "Undo";
  });
}

start();
