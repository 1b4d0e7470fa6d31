// A box drawn by mouse, touch or keys, in pixels of the original image.

import { svg } from "./dom.js";

export function drawable(row, { save, leave }) {
  const [width, height] = [row.width_original, row.height_original];
  let box = row.x0 === null ? [width * 0.25, height * 0.25, width * 0.75, height * 0.75].map(Math.round) : [row.x0, row.y0, row.x1, row.y1];
  const shape = svg("rect", {});
  const element = svg("svg", { class: "box drawing", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", tabindex: 0, role: "application",
    "aria-label": "Box of the specimen: arrows move it, Shift and arrows resize it, Enter saves it, Escape leaves it" }, shape);
  const clamp = (value, most) => Math.max(0, Math.min(most, Math.round(value)));

  function paint() {
    for (const [name, value] of [["x", box[0]], ["y", box[1]], ["width", box[2] - box[0]], ["height", box[3] - box[1]]]) shape.setAttribute(name, value);
    element.dataset.box = box.join(" ");
  }
  const point = (event) => {
    const seen = element.getBoundingClientRect();
    return [clamp((event.clientX - seen.left) / seen.width * width, width), clamp((event.clientY - seen.top) / seen.height * height, height)];
  };
  let start = null;
  element.addEventListener("pointerdown", (event) => { start = point(event); element.setPointerCapture(event.pointerId); event.preventDefault(); element.focus(); });
  element.addEventListener("pointermove", (event) => {
    if (!start) return;
    const [x, y] = point(event);
    const drawn = [Math.min(start[0], x), Math.min(start[1], y), Math.max(start[0], x), Math.max(start[1], y)];
    if (drawn[2] > drawn[0] && drawn[3] > drawn[1]) { box = drawn; paint(); }
  });
  element.addEventListener("pointerup", () => { start = null; });
  element.addEventListener("keydown", (event) => {
    const step = Math.max(1, Math.round(width / 200));
    const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key] ?? [0, 0];
    if (dx || dy) {
      event.preventDefault();
      event.stopPropagation();
      if (event.shiftKey) box = [box[0], box[1], Math.max(box[0] + 1, clamp(box[2] + dx, width)), Math.max(box[1] + 1, clamp(box[3] + dy, height))];
      else {
        const [sx, sy] = [Math.max(-box[0], Math.min(width - box[2], dx)), Math.max(-box[1], Math.min(height - box[3], dy))];
        box = [box[0] + sx, box[1] + sy, box[2] + sx, box[3] + sy];
      }
      paint();
    } else if (event.key === "Enter") { event.preventDefault(); event.stopPropagation(); save(box); }
    else if (event.key === "Escape") { event.stopPropagation(); leave(); }
  });
  paint();
  return { element };
}
