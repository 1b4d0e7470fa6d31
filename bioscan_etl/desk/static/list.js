// A list of any length of which only the rows in view exist.

import { h } from "./dom.js";

const BEYOND = 6;
const MOST_PIXELS = 8_000_000; // browsers cannot make an element of any height

export function list(label, height, draw) {
  let rows = [];
  let drawn = new Map();
  let chosen = 0;
  const body = h("div", { class: "rows", role: "list", "aria-label": label });
  const view = h("div", { class: "view", tabindex: "0", role: "region", "aria-label": label }, body);
  const total = () => rows.length * height;
  // Above that height one pixel of the scroll bar stands for several of the list.
  const scale = () => Math.max(1, (total() - view.clientHeight) / (MOST_PIXELS - view.clientHeight));
  const top = () => view.scrollTop * scale();

  function paint() {
    const from = Math.max(0, Math.floor(top() / height) - BEYOND);
    const to = Math.min(rows.length, Math.ceil((top() + view.clientHeight) / height) + BEYOND);
    const wanted = new Map();
    const shift = view.scrollTop - top();
    for (let place = from; place < to; place += 1) {
      const old = drawn.get(place);
      const one = old && old.row === rows[place] ? old : fresh(place);
      const at = `translateY(${place * height + shift}px)`;
      if (one.at !== at) one.element.style.transform = one.at = at;
      if (one.isChosen !== (place === chosen)) one.element.classList.toggle("chosen", one.isChosen = place === chosen);
      wanted.set(place, one);
    }
    for (const [place, one] of drawn) if (wanted.get(place) !== one) one.element.remove();
    // In their order, for those who hear the page; rows that stay are left alone.
    let before = null;
    for (const [place, one] of [...wanted].reverse()) {
      if (drawn.get(place) !== one) body.insertBefore(one.element, before);
      before = one.element;
    }
    drawn = wanted;
  }

  function fresh(place) {
    const element = draw(rows[place], place);
    element.classList.add("row");
    element.setAttribute("role", "listitem");
    element.setAttribute("aria-setsize", rows.length);
    element.setAttribute("aria-posinset", place + 1);
    return { row: rows[place], element, at: "", isChosen: false };
  }

  function forget() {
    body.replaceChildren();
    drawn = new Map();
  }

  function show(place) {
    chosen = Math.max(0, Math.min(rows.length - 1, place));
    const at = chosen * height;
    if (at < top()) view.scrollTop = at / scale();
    else if (at + height > top() + view.clientHeight) view.scrollTop = (at + height - view.clientHeight) / scale();
    paint();
  }

  view.addEventListener("scroll", paint, { passive: true });
  view.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 5, PageUp: -5, Home: -rows.length, End: rows.length };
    if (event.target !== view || !(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    show(chosen + steps[event.key]);
  });
  new ResizeObserver(paint).observe(view);
  return {
    element: view,
    get chosen() { return rows[chosen]; },
    set(given) {
      rows = given;
      forget();
      body.style.height = `${Math.min(total(), MOST_PIXELS)}px`;
      view.scrollTop = 0;
      chosen = 0;
      paint();
    },
    redraw() { forget(); paint(); },
    show,
  };
}
