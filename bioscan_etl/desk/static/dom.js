// Elements from data. Texts are only ever set as text: no page parses markup that it was given.

export function h(name, given = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (key === "value") element.value = value;
    else if (key === "checked" || key === "disabled" || key === "selected") element[key] = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// A value of the data. Right-to-left texts and overrides stay within it.
export function data(value, most = 0) {
  if (value === null || value === undefined || value === "") return h("span", { class: "none" }, "none");
  const whole = String(value);
  const shown = most && whole.length > most ? `${whole.slice(0, most)}…` : whole;
  return h("bdi", { title: shown === whole ? null : whole.slice(0, 2000) }, shown);
}

export function table(caption, heads, rows, attributes = {}) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", attributes,
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell)))))));
}

export function svg(name, given = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(given)) element.setAttribute(key, String(value));
  element.append(...children.flat());
  return element;
}

export function clear(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter(Boolean));
  return element;
}

export const number = (value) => (value ?? 0).toLocaleString("en");

export function say(text, isWrong = false) {
  const place = document.querySelector(".saved");
  place.textContent = text;
  place.classList.toggle("wrong", isWrong);
}

// Asks before something that is about many specimens. Resolves to the form's values, or null.
export function ask(title, text, fields, agree) {
  return new Promise((resolve) => {
    const form = h("form", { method: "dialog" },
      h("h2", {}, title), h("p", {}, text), fields,
      h("p", { class: "buttons" },
        h("button", { value: "agree", class: "main" }, agree),
        h("button", { value: "", formnovalidate: true }, "Cancel")));
    const dialog = h("dialog", { "aria-label": title }, form);
    dialog.addEventListener("close", () => {
      const values = Object.fromEntries(new FormData(form));
      dialog.remove();
      resolve(dialog.returnValue === "agree" ? values : null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
