// Where the data come from and the decisions go: the desk's server. Written pages have `kept.js` instead.

import { clear, data, h } from "./dom.js";

const token = document.querySelector('meta[name="desk-token"]').content;

export const about = "Each line is in a file of its curator below decisions/ in the corpus. You can take away your own lines.";

// Files that the desk's server makes.
export const downloads = [["corrections-for-bold.csv", "Download corrections for BOLD"], ["corrections-for-bold.zip", "As worksheets of BOLD's template"]];

// `have` is the mark of what the page has: then only the differences are read.
export async function read(path, have = null) {
  const answer = await fetch(`data/${path}${have ? `?have=${encodeURIComponent(have)}` : ""}`);
  if (!answer.ok) throw new Error((await answer.text()) || `${path}: ${answer.status}`);
  return answer.json();
}

// Saves and takes away lines of decisions; the ids of those saved, and what of the states changed by that.
export async function post(lines, gone, have) {
  const answer = await fetch("decide", {
    method: "POST",
    headers: { "content-type": "application/json", "x-desk-token": token },
    body: JSON.stringify({ lines, take_away: gone, have }),
  });
  if (!answer.ok) throw new Error((await answer.text()).trim() || `not saved (${answer.status})`);
  return answer.json();
}

export const pictureOf = (processid, size) => `${size}/${encodeURIComponent(processid)}.jpg`;

// Written pages have pages of each batch.
export const pagesOf = () => null;

// Says who decides.
export const who = (element, words) => clear(element, "Decisions are saved as ", h("b", {}, data(words.curator, 40)));
