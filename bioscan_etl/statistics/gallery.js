"use strict";
// What can be explored on the page of figures. The data are in the page, and all texts are set as text, never as markup.
(() => {
  const held = document.getElementById("explored");
  if (!held) return;
  const data = JSON.parse(held.textContent);
  const number = (value) => value.toLocaleString("en");
  const make = (name, attributes = {}, text = "") => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  };
  const draw = (name, attributes = {}) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const show = (id) => {
    const section = document.getElementById(id);
    section.hidden = false;
    return section.querySelector(".explore");
  };

  // ---- taxa: a tile opens what lies below it
  const taxa = (roots) => {
    const place = show("explore-taxa");
    const crumbs = make("nav", { "aria-label": "opened taxa", class: "crumbs" });
    const tiles = make("div", { class: "tiles", role: "group", "aria-label": "taxa" });
    const said = make("p", { "aria-live": "polite" });
    place.append(crumbs, tiles, said);
    let opened = [];
    const below = () => (opened.length ? opened[opened.length - 1].below : roots);
    const words = (taxon) => {
      const whole = below().reduce((sum, one) => sum + one.count, 0);
      const share = ((100 * taxon.count) / whole).toFixed(1);
      return `${taxon.name}: ${number(taxon.count)} specimens (${share} % of those shown); `
        + `${number(taxon.seen)} with a seen species, ${number(taxon.unseen)} with an unseen one`
        + (taxon.below.length ? ". Enter opens it." : "");
    };
    const go = (path, focus) => {
      opened = path;
      crumbs.replaceChildren();
      ["All classes", ...path.map((one) => one.name)].forEach((name, at) => {
        const crumb = make("button", { type: "button" }, name);
        if (at === path.length) crumb.setAttribute("aria-current", "true");
        crumb.addEventListener("click", () => go(path.slice(0, at), true));
        crumbs.append(crumb);
      });
      tiles.replaceChildren();
      for (const taxon of below()) {
        const [left, top, width, height] = taxon.tile;
        const tile = make("button", { type: "button", class: "tile", title: words(taxon) }, `${taxon.name} ${number(taxon.count)}`);
        Object.assign(tile.style, { left: `${left}%`, top: `${top}%`, width: `${width}%`, height: `${height}%` });
        if (taxon.colour) tile.style.setProperty("--tile", taxon.colour);
        tile.classList.toggle("light", taxon.light);
        tile.classList.toggle("small", width < 9 || height < 9);
        tile.setAttribute("aria-label", words(taxon));
        const tell = () => { said.textContent = words(taxon); };
        tile.addEventListener("focus", tell);
        tile.addEventListener("pointerenter", tell);
        if (taxon.below.length) tile.addEventListener("click", () => go([...opened, taxon], true));
        else tile.addEventListener("click", tell);
        tiles.append(tile);
      }
      said.textContent = `${number(below().length)} taxa. A tile opens what lies below it, Escape goes back.`;
      if (focus && tiles.firstChild) tiles.firstChild.focus({ preventScroll: true });
    };
    place.addEventListener("keydown", (event) => {
      const all = [...tiles.children];
      const at = all.indexOf(document.activeElement);
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape" && opened.length) go(opened.slice(0, -1), true);
      else if (step && at >= 0) all[(at + step + all.length) % all.length].focus({ preventScroll: true });
      else return;
      event.preventDefault();
    });
    go([], false);
  };

  // ---- sites: a map that moves
  const sites = (found) => {
    const place = show("explore-places");
    const whole = { x: -2750, y: -1360, width: 5500, height: 2720 };
    let view = { ...whole };
    const map = draw("svg", { tabindex: 0, role: "group", "aria-label": "map of collection sites; arrows move it, plus and minus zoom" });
    map.append(draw("path", { d: found.land, class: "land" }));
    const dots = found.sites.map(([x, y, size, lat, lon]) => {
      const dot = draw("circle", { cx: x, cy: y, class: "site" });
      const title = draw("title");
      title.textContent = `${lat}, ${lon}: ${number(size)} specimens`;
      dot.append(title);
      map.append(dot);
      return { dot, x, y, size, words: title.textContent };
    });
    const bar = make("div", { class: "bar" });
    const list = make("ol");
    const said = make("p", { "aria-live": "polite" });
    const draws = () => {
      map.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
      const unit = view.width / Math.max(320, map.clientWidth || 800);
      const inView = [];
      for (const one of dots) {
        one.dot.setAttribute("r", unit * (2 + 1.6 * Math.log10(one.size)));
        if (one.x >= view.x && one.x <= view.x + view.width && one.y >= view.y && one.y <= view.y + view.height) inView.push(one);
      }
      map.style.setProperty("--unit", unit);
      list.replaceChildren(...inView.slice(0, 10).map((one) => make("li", {}, one.words)));
      const shown = found.sites.length < found.total ? ` The ${number(found.sites.length)} largest of ${number(found.total)} sites are here.` : "";
      said.textContent = `${number(inView.length)} sites in view; the largest:${shown}`;
    };
    const zoom = (factor, x = view.x + view.width / 2, y = view.y + view.height / 2) => {
      const width = Math.min(whole.width, Math.max(40, view.width * factor));
      const by = width / view.width;
      view = { x: x - (x - view.x) * by, y: y - (y - view.y) * by, width, height: view.height * by };
      move(0, 0);
    };
    const move = (x, y) => {
      const limit = (value, low, high) => Math.min(Math.max(value, low), high);
      view.x = limit(view.x + x * view.width, whole.x, whole.x + whole.width - view.width);
      view.y = limit(view.y + y * view.height, whole.y, whole.y + whole.height - view.height);
      draws();
    };
    const acts = {
      "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "0": () => { view = { ...whole }; draws(); },
      ArrowLeft: () => move(-0.2, 0), ArrowRight: () => move(0.2, 0), ArrowUp: () => move(0, -0.2), ArrowDown: () => move(0, 0.2),
    };
    for (const [name, key] of [["Zoom in", "+"], ["Zoom out", "-"], ["Whole world", "0"]]) {
      const button = make("button", { type: "button" }, name);
      button.addEventListener("click", acts[key]);
      bar.append(button);
    }
    map.addEventListener("keydown", (event) => {
      if (!acts[event.key] || event.ctrlKey || event.metaKey) return;
      acts[event.key]();
      event.preventDefault();
    });
    let held = null;
    map.addEventListener("pointerdown", (event) => { held = [event.clientX, event.clientY]; map.setPointerCapture(event.pointerId); });
    map.addEventListener("pointermove", (event) => {
      if (!held) return;
      move((held[0] - event.clientX) / map.clientWidth, (held[1] - event.clientY) / map.clientHeight);
      held = [event.clientX, event.clientY];
    });
    for (const end of ["pointerup", "pointercancel"]) map.addEventListener(end, () => { held = null; });
    map.addEventListener("dblclick", (event) => {
      const box = map.getBoundingClientRect();
      zoom(0.5, view.x + ((event.clientX - box.left) / box.width) * view.width, view.y + ((event.clientY - box.top) / box.height) * view.height);
    });
    place.append(bar, map, said, list);
    draws();
    window.addEventListener("resize", draws);
  };

  // ---- distances: a table that is sorted and searched
  const distances = (levels) => {
    const place = show("explore-distances");
    const bar = make("div", { class: "bar" });
    const choose = (label, options) => {
      const named = make("label", {}, `${label} `);
      const select = make("select");
      for (const [value, words] of options) select.append(make("option", { value }, words));
      select.addEventListener("change", fill);
      named.append(select);
      bar.append(named);
      return select;
    };
    const search = make("input", { type: "search", "aria-label": "names that contain", placeholder: "name contains …" });
    const table = make("table");
    const scroll = make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "distances within groups" });
    scroll.append(table);
    const level = choose("Rank", Object.keys(levels).map((name) => [name, name]));
    const sort = choose("Sort by", [["0", "name"], ["3", "mean distance"], ["8", "largest distance"], ["1", "barcodes"]]);
    search.addEventListener("input", fill);
    bar.append(search);
    place.append(bar, scroll);
    function fill() {
      const by = Number(sort.value);
      const rows = levels[level.value]
        .filter((row) => row[0].toLowerCase().includes(search.value.toLowerCase()))
        .sort((one, other) => (by ? other[by] - one[by] : 0) || (one[0] < other[0] ? -1 : 1));
      const most = Math.max(...levels[level.value].map((row) => row[8])) || 1;
      const head = make("tr");
      for (const name of ["group", `p-distance, 0 to ${most}`, "mean", "barcodes", "pairs"]) head.append(make("th", { scope: "col" }, name));
      table.replaceChildren(make("caption", {}, `${number(rows.length)} groups with the most barcodes; box: quartiles, line: smallest to largest, thick: median`), head);
      for (const [name, barcodes, pairs, mean, low, first, middle, third, high] of rows) {
        const row = make("tr");
        const cell = make("td");
        const words = `smallest ${low}, quartiles ${first} and ${third}, median ${middle}, largest ${high}`;
        const plot = draw("svg", { viewBox: "0 0 200 16", role: "img", "aria-label": words, class: "plot" });
        const at = (value) => (200 * value) / most;
        const title = draw("title");
        title.textContent = words;
        plot.append(
          title,
          draw("line", { x1: at(low), x2: at(high), y1: 8, y2: 8 }),
          draw("rect", { x: at(first), width: Math.max(0.5, at(third) - at(first)), y: 3, height: 10 }),
          draw("line", { x1: at(middle), x2: at(middle), y1: 2, y2: 14, class: "median" }),
        );
        cell.append(plot);
        row.append(make("th", { scope: "row" }, name), cell);
        for (const value of [mean.toFixed(4), number(barcodes), number(pairs)]) row.append(make("td", {}, value));
        table.append(row);
      }
    }
    fill();
  };

  if (data.taxa && data.taxa.length) taxa(data.taxa);
  if (data.places && data.places.sites.length) sites(data.places);
  if (data.distances && Object.keys(data.distances).length) distances(data.distances);
})();
