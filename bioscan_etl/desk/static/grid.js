// A grid of any length of which only the cells in view exist; cells are chosen by mouse or keyboard.

import { h } from "./dom.js";

const [WIDE, HIGH, BEYOND] = [168, 196, 2];

// `draw(item)` gives the content of a cell, `act(event, items)` is told of keys that are not the grid's own.
export function grid(label, draw, { chosen = () => {}, act = () => false, open = () => {} }) {
  let items = [];
  let at = 0, from = 0;
  let picked = new Set();
  let cells = new Map();
  const name = `grid-${Math.random().toString(36).slice(2)}`;
  const body = h("div", { class: "cells" });
  const view = h("div", { class: "view grid", tabindex: "0", role: "listbox", "aria-multiselectable": "true", "aria-label": label }, body);
  const across = () => Math.max(1, Math.floor(view.clientWidth / WIDE));

  function paint() {
    const per = across();
    const first = Math.max(0, Math.floor(view.scrollTop / HIGH) - BEYOND) * per;
    const last = Math.min(items.length, (Math.ceil((view.scrollTop + view.clientHeight) / HIGH) + BEYOND) * per);
    body.style.height = `${Math.ceil(items.length / per) * HIGH}px`;
    const wanted = new Map();
    for (let place = first; place < last; place += 1) {
      const cell = cells.get(place) ?? h("div", { class: "cell", role: "option", id: `${name}-${place}`, "aria-setsize": items.length, "aria-posinset": place + 1 }, draw(items[place]));
      cell.dataset.place = place;
      cell.setAttribute("aria-selected", picked.has(place));
      cell.classList.toggle("at", place === at);
      cell.style.transform = `translate(${(place % per) * WIDE}px, ${Math.floor(place / per) * HIGH}px)`;
      wanted.set(place, cell);
    }
    // Only what came or went is touched, so that a picture that is there is not loaded again.
    for (const [place, cell] of cells) if (!wanted.has(place)) cell.remove();
    for (const [place, cell] of wanted) if (!cell.isConnected) body.append(cell);
    cells = wanted;
    if (wanted.has(at)) view.setAttribute("aria-activedescendant", `${name}-${at}`);
    else view.removeAttribute("aria-activedescendant");
  }

  function show(place) {
    at = Math.max(0, Math.min(items.length - 1, place));
    const top = Math.floor(at / across()) * HIGH;
    if (top < view.scrollTop) view.scrollTop = top;
    else if (top + HIGH > view.scrollTop + view.clientHeight) view.scrollTop = top + HIGH - view.clientHeight;
    paint();
  }

  function pick(places) { picked = new Set(places); paint(); chosen(picked.size); }
  function toggle(place) { const next = new Set(picked); if (!next.delete(place)) next.add(place); pick(next); }
  const range = (one, two) => Array.from({ length: Math.abs(one - two) + 1 }, (_, step) => Math.min(one, two) + step);
  const selected = () => [...picked].sort((one, two) => one - two).map((place) => items[place]);

  view.addEventListener("scroll", paint, { passive: true });
  view.addEventListener("click", (event) => {
    const cell = event.target.closest(".cell");
    if (!cell || event.target.closest("a")) return;
    const place = Number(cell.dataset.place);
    if (event.shiftKey) pick([...picked, ...range(from, place)]);
    else { toggle(place); from = place; }
    show(place);
  });
  view.addEventListener("keydown", (event) => {
    if (event.target !== view || !items.length || event.metaKey || event.altKey || event.ctrlKey) return;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across(), ArrowUp: -across(), PageDown: 3 * across(), PageUp: -3 * across(), Home: -items.length, End: items.length };
    if (event.key in steps) {
      event.preventDefault();
      const before = at;
      show(at + steps[event.key]);
      if (event.shiftKey) pick([...picked, ...range(before, at)]);
    } else if (event.key === " ") { event.preventDefault(); toggle(at); from = at; }
    else if (event.key === "Escape") pick([]);
    else if (event.key === "Enter") open(items[at]);
    else if (act(event, picked.size ? selected() : [items[at]])) event.preventDefault();
  });
  const watch = new ResizeObserver(paint);
  watch.observe(view);
  return {
    element: view,
    selected,
    clear: () => pick([]),
    set(given) { items = given; at = 0; from = 0; cells.forEach((cell) => cell.remove()); cells = new Map(); view.scrollTop = 0; pick([]); },
    redraw() { cells.forEach((cell) => cell.remove()); cells = new Map(); paint(); },
    end: () => watch.disconnect(),
  };
}
