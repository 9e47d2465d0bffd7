// The page of "anymail listen". It is made of modules that the browser loads as they
// are: there is nothing to build.

import { $, announce, moment, plural, wasRefused } from "./dom.js";
import { getJSON } from "./api.js";
import * as chart from "./chart.js";
import * as detail from "./detail.js";
import * as dialogs from "./dialogs.js";
import * as keyboard from "./keyboard.js";
import * as list from "./list.js";
import { configure, startMany } from "./replay.js";
import { change, filterNames, onChange, state } from "./state.js";

const types = ["queued", "sent", "rejected", "failed", "bounced", "deferred", "delivered", "autoresponded", "opened", "clicked",
  "complained", "unsubscribed", "subscribed", "inbound", "inbound_failed", "unknown"];
const reasons = ["invalid", "bounced", "timed_out", "blocked", "spam", "unsubscribed", "other"];

// --- search and filters ---

const search = $("search");
const selects = ["esp", "account", "type", "reason", "answer", "from"];

// The letters of one search are one step of the back button.
let searching = false;
search.addEventListener("input", () => {
  change({ q: search.value.trim() }, { replace: searching });
  searching = true;
});
search.addEventListener("blur", () => { searching = false; });
$("filters").addEventListener("submit", (e) => e.preventDefault());
for (const name of selects) {
  $(`filter-${name}`).addEventListener("change", (e) => {
    if (e.target.value === "choose") $("range").showModal();
    else change(name === "from" ? { from: e.target.value, to: "" } : { [name]: e.target.value });
    if (name === "from") fillFilters();
  });
}
for (const button of document.querySelectorAll("[data-reset]")) {
  button.addEventListener("click", () => { change(Object.fromEntries(filterNames.map((name) => [name, ""]))); search.focus(); });
}

const local = (value) => {
  const t = new Date(value);
  return new Date(t - t.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
};

$("range").querySelector("form").addEventListener("submit", (e) => {
  e.preventDefault();
  const entered = (id) => $(id).value ? new Date($(id).value).toISOString() : "";
  change({ from: entered("range-from"), to: entered("range-to") });
  $("range").close();
});

// fillFilters shows what the URL names.
function fillFilters() {
  if (search.value.trim() !== state.q) search.value = state.q;
  for (const name of ["esp", "account", "type", "reason"]) chart.offer(name);
  const answer = $("filter-answer");
  if (![...answer.options].some((o) => o.value === state.answer)) answer.add(new Option(state.answer, state.answer));
  answer.value = state.answer;
  const from = $("filter-from"), relative = [...from.options].some((o) => o.value === state.from && o.value !== "choose");
  from.value = relative && !state.to ? state.from : "choose";
  const absolute = !Number.isNaN(Date.parse(state.from));
  $("range-from").value = absolute ? local(state.from) : "";
  $("range-to").value = state.to ? local(state.to) : "";
  showActive();
}

// showActive lists the filters that are set, each with a way to remove it.
function showActive() {
  const names = { esp: "ESP", account: "account", type: "type", reason: "reason", answer: "answer" };
  const active = Object.entries(names).filter(([name]) => state[name]).map(([name, label]) => [`${label} ${state[name]}`, { [name]: "" }]);
  if (state.from || state.to) active.push([rangeText(), { from: "", to: "" }]);
  $("active").replaceChildren(...active.map(([label, values]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${label} ×`;
    button.setAttribute("aria-label", `Remove the filter: ${label}`);
    button.addEventListener("click", () => { change(values); search.focus(); });
    return button;
  }));
  $("active").hidden = active.length === 0;
  $("filter-count").textContent = active.length ? `Filters (${active.length})` : "Filters";
}

function rangeText() {
  const format = (value) => Number.isNaN(Date.parse(value)) ? `the last ${value}` : moment(value);
  return [state.from && format(state.from), state.to && `to ${format(state.to)}`].filter(Boolean).join(" ");
}

onChange((changed) => {
  if (filterNames.some((name) => changed.has(name))) {
    fillFilters();
    chart.loadSoon();
  }
});

// --- list and detail ---

const wide = matchMedia("(min-width: 60rem)");
let openedByKey = false, takesFocus = false;
let delayed = null; // shows the request at which a key that is held down stops

// On a phone, the filters and the chart are folded, so that the list is in view.
for (const details of [$("filter-fields"), document.querySelector(".chart")]) details.open = wide.matches;
wide.addEventListener("change", () => { if (wide.matches) $("filter-fields").open = true; });

function open(request, event) {
  // From one request to the next is no step for the back button, which leads to the list.
  const replace = state.request !== "";
  if (state.request === request && (state.event || "0") === event) {
    clearTimeout(delayed);
    detail.show({ focus: true, again: true });
    return;
  }
  takesFocus = true;
  change({ request, event, part: "" }, { replace });
  takesFocus = false;
}

function step(by) {
  const next = list.move(by);
  if (!next || !wide.matches) return; // on a phone, the list and the request are two screens
  openedByKey = true;
  change({ ...next, part: "" }, { replace: state.request !== "" });
  openedByKey = false;
}

function back() {
  const { request, event } = state;
  detail.close();
  list.focusRow(request, event);
}

let last = {};
onChange((changed) => {
  if (!changed.has("request") && !changed.has("event")) return;
  clearTimeout(delayed);
  if (!state.request && $("detail").contains(document.activeElement)) list.focusRow(last.request, last.event); // the back button
  last = { ...state };
  if (openedByKey) delayed = setTimeout(detail.show, 60);
  else detail.show({ focus: takesFocus });
});
$("back").addEventListener("click", back);
$("close-detail").addEventListener("click", back);

function showSelection() {
  const n = list.selection.size;
  $("selected").hidden = n === 0;
  $("selected-text").textContent = `${n} selected`;
  $("pick-all").checked = n > 0;
  $("pick-all").indeterminate = n > 0 && n < list.loaded().length;
}
$("pick-all").addEventListener("change", (e) => list.pickAll(e.target.checked));
$("unselect").addEventListener("click", () => list.pickAll(false));

// --- what arrives ---

function reload() {
  list.selection.clear();
  showSelection();
  list.load();
  chart.load();
}

let arrived = [], telling = null;
function arrive(summary) {
  list.refresh();
  chart.loadSoon();
  dialogs.refreshAnswer();
  arrived.push(summary);
  // A screen reader would never finish if the status changed with each of many requests.
  telling ??= setTimeout(tell, 300);
}

function tell() {
  telling = null;
  const last = arrived.at(-1);
  const what = wasRefused(last) ? `Refused a request to ${last.path}` : `New: ${[...new Set(last.events.map((e) => `${e.esp} ${e.type}`))].slice(0, 3).join(", ") || last.path}`;
  $("live").textContent = arrived.length > 1 ? `${plural(arrived.length, "new request")}. ${what}` : what;
  $("live").classList.toggle("bad", wasRefused(last));
  arrived = [];
}

const source = new EventSource("api/stream");
source.onopen = () => { $("live").textContent = "Live"; list.refresh(); chart.loadSoon(); };
source.onerror = () => { $("live").textContent = "Connection lost, trying again"; };
source.addEventListener("request", (e) => arrive(JSON.parse(e.data)));
source.addEventListener("reset", reload);
source.addEventListener("forward", (e) => {
  if (String(JSON.parse(e.data).id) === state.request && state.tab !== "replay") detail.show({ again: true });
});

// --- start ---

async function start() {
  for (const type of types) $("filter-type").add(new Option(type, type));
  for (const reason of reasons) $("filter-reason").add(new Option(reason, reason));
  fillFilters();
  startMany();
  keyboard.start({ step, back, pick: list.pick, open: () => {
    const row = document.activeElement?.closest?.("#list li");
    if (row) open(...row.dataset.key.split("."));
    else if (state.request) $("detail-title").focus();
  } });
  const settings = await getJSON("settings").catch(() => ({ signed: [] }));
  configure(settings);
  $("about").textContent = [settings.version && `anymail ${settings.version}`, settings.keep && `keeps the latest ${plural(settings.keep, "request")}${settings.store ? ", on disk" : ""}`].filter(Boolean).join(", ");
  await list.start({ open, select: showSelection });
  chart.load();
  detail.show();
  dialogs.start(reload);
  let width = $("bars").clientWidth;
  new ResizeObserver(() => { if (Math.abs($("bars").clientWidth - width) > 24) { width = $("bars").clientWidth; chart.loadSoon(); } }).observe($("bars"));
  setInterval(chart.load, 15000);
}

start().catch((error) => announce(error.message));
