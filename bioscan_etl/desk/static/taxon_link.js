// Links to the page of a taxon.

import { data, h } from "./dom.js";

// `any` is the deepest rank at which the name occurs.
export const taxonLink = (name, rank = "any", most = 0) => (name
  ? h("a", { href: `#/taxon/${rank}/${encodeURIComponent(name)}`, class: "taxon", title: "Sweep the images of this taxon" }, data(name, most)) : data(name));
