"use strict";
const list = document.getElementById("machines");
const link = document.getElementById("link");
const source = new EventSource("/events");
source.addEventListener("machines", (e) => {
  list.innerHTML = e.data;
  link.textContent = "live";
  link.className = "link live";
});
source.onerror = () => {
  link.textContent = source.readyState === EventSource.CLOSED ? "signed out: reload" : "reconnecting";
  link.className = "link lost";
};
