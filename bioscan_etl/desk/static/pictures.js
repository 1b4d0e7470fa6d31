// Images with their box, coloured barcodes, and maps of a place.

import { clear, h, svg } from "./dom.js";
import { pictureOf } from "./source.js";
import { read } from "./store.js";

const COLOURS = { A: "#2f8f4e", C: "#2f6fb3", G: "#4a4a4a", T: "#c8442f", N: "#e3e3e3", "-": "#ffffff" };
const COLOUR_OF_OTHERS = "#b080c0";
const pixel = (colour) => new Uint32Array(Uint8Array.of(...[1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)), 255).buffer)[0];
const PIXELS = Object.fromEntries(Object.entries(COLOURS).map(([letter, colour]) => [letter, pixel(colour)]));
const OTHER = pixel(COLOUR_OF_OTHERS);

// The thumbnail or image of a specimen; its box in pixels of the original.
export function picture(processid, row, size = "thumbs") {
  const holder = h("span", { class: `picture ${size}` });
  if (!row?.image_file) return Object.assign(holder, { textContent: "no image" });
  if (row.image_status === "unreadable") return Object.assign(holder, { textContent: "image cannot be read" });
  const src = pictureOf(processid, size);
  if (!src) return Object.assign(holder, { textContent: "image not on these pages" });
  const image = h("img", { src, alt: `image of ${processid}`, draggable: "false" });
  image.addEventListener("error", () => holder.replaceChildren("cannot be shown"));
  holder.append(image);
  if (row.x0 !== null && row.width_original) holder.append(outline(row));
  return holder;
}

export function outline(row) {
  const [w, h_] = [row.width_original, row.height_original];
  return svg("svg", { class: "box", viewBox: `0 0 ${w} ${h_}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { x: row.x0, y: row.y0, width: row.x1 - row.x0, height: row.y1 - row.y0 }));
}

// Draws the outline of a specimen into its picture, and a switch beside it: a box says where, a mask says what.
export function outlined(processid, row, image, beside) {
  clear(beside, "Looking for the outline …", h("br"));
  read(`masks/${encodeURIComponent(processid)}.json`).then(({ polygons, detector }) => {
    if (!polygons.length) { clear(beside, "The detector outlines nothing within the box. ", h("br")); return; }
    const drawn = svg("svg", { class: "box mask", viewBox: `0 0 ${row.width_original} ${row.height_original}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      polygons.map((one) => svg("polygon", { points: one.join(" ") })));
    image.append(drawn);
    const shown = h("input", { type: "checkbox", checked: true, onchange: () => { drawn.style.display = shown.checked ? "" : "none"; } });
    clear(beside, h("label", {}, shown, ` Outline, as ${detector} draws it now`), h("br"));
  }, () => clear(beside, "The outline cannot be shown. ", h("br")));
}

// A barcode as a strip: one column a base. `marks` are columns to point out.
export function strip(letters, height = 18, marks = []) {
  if (!letters) return h("span", { class: "none" }, "no barcode");
  const canvas = h("canvas", { class: "strip", width: letters.length, height, role: "img",
    "aria-label": `barcode of ${letters.length} bases${marks.length ? `, ${marks.length} differ` : ""}` });
  const context = canvas.getContext("2d");
  if (!marks.length) {
    // One line of pixels, which the page stretches.
    canvas.height = 1;
    canvas.style.height = `${height}px`;
    const line = context.createImageData(letters.length, 1);
    const pixels = new Uint32Array(line.data.buffer);
    for (let at = 0; at < letters.length; at += 1) pixels[at] = PIXELS[letters[at]] ?? OTHER;
    context.putImageData(line, 0, 0);
    return canvas;
  }
  for (let at = 0; at < letters.length; at += 1) {
    context.fillStyle = COLOURS[letters[at]] ?? COLOUR_OF_OTHERS;
    context.fillRect(at, 0, 1, height);
  }
  context.fillStyle = "#000";
  for (const at of marks) {
    context.fillRect(at - 1, 0, 3, 4);
    context.fillRect(at, 0, 1, height);
  }
  return canvas;
}

// The bases that differ, with their place, as text.
export function differences(reference, row) {
  if (!row.differing.length) return "no base differs";
  const shown = row.differing.slice(0, 30).map((at) => `${at + 1}: ${reference[at]}→${row.placed[at]}`);
  return shown.join(", ") + (row.differing.length > 30 ? ` and ${row.differing.length - 30} more` : "");
}

let outlines = null;

export async function map(places) {
  outlines ??= read("land.json");
  const land = await outlines;
  const d = land.map((ring) => `M${ring.map(([x, y]) => `${x},${-y}`).join("L")}Z`).join("");
  return svg("svg", { class: "map", viewBox: "-180 -85 360 145", role: "img", "aria-label": places.map((one) => one.title).join("; ") },
    svg("path", { d, class: "land" }),
    places.map((one) => svg("g", { class: one.kind },
      svg("circle", { cx: one.lon, cy: -one.lat, r: 3 }), svg("title", {}, one.title))));
}

let earth = null;

// The earth, drawn once at the size of the map in a row: drawing its outlines anew for every row would stop the scrolling.
function drawnEarth() {
  outlines ??= read("land.json");
  earth ??= outlines.then((land) => {
    const canvas = h("canvas", { width: 216, height: 87 });
    const context = canvas.getContext("2d");
    context.fillStyle = "#e9f1f5";
    context.fillRect(0, 0, 216, 87);
    context.setTransform(0.6, 0, 0, 0.6, 108, 51);
    context.fillStyle = "#c3cfc4";
    for (const ring of land) {
      context.beginPath();
      for (const [x, y] of ring) context.lineTo(x, -y);
      context.fill();
    }
    return canvas;
  });
  return earth;
}

// A map of a point for a row of a list.
export function smallMap(lat, lon) {
  const canvas = h("canvas", { class: "small-map", width: 216, height: 87, role: "img", "aria-label": `map with a point at ${lat.toFixed(2)}, ${lon.toFixed(2)}` });
  drawnEarth().then((land) => {
    const context = canvas.getContext("2d");
    context.drawImage(land, 0, 0);
    context.fillStyle = "#c8442f";
    context.beginPath();
    context.arc(108 + lon * 0.6, 51 - lat * 0.6, 5, 0, 2 * Math.PI);
    context.fill();
  }, () => canvas.remove());
  return canvas;
}
