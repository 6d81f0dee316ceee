"use strict";
const list = document.getElementById("machines");
const link = document.getElementById("link");

// Only what changed is replaced, so that a selection and the place on the page stay.
function update(html) {
  const next = document.createElement("template");
  next.innerHTML = html;
  const old = new Map();
  for (const node of list.children) old.set(node.dataset.key, node);
  const nodes = [];
  for (const node of next.content.children) {
    const known = old.get(node.dataset.key);
    nodes.push(known && known.outerHTML === node.outerHTML ? known : node);
  }
  let at = 0;
  for (const node of nodes) {
    if (list.children[at] !== node) list.insertBefore(node, list.children[at] || null);
    at++;
  }
  while (list.children.length > nodes.length) list.lastElementChild.remove();
}

function show(text, state) {
  if (link.textContent === text) return;
  link.textContent = text;
  link.className = "link " + state;
}

const source = new EventSource("/events");
source.addEventListener("machines", (e) => {
  update(e.data);
  show("live", "good");
});
source.onopen = () => show("live", "good");
source.onerror = () => {
  if (source.readyState === EventSource.CLOSED) show("stopped: reload the page", "bad");
  else show("reconnecting", "bad");
};
