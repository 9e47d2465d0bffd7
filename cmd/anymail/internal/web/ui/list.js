// The list of requests, the newest first, one row for each event. The server
// searches, and sends pages. Only the rows in view are elements of the document,
// so the list is as fast with 10,000 requests as with ten.

import { $, announce, badge, element, mark, pill, plural, time, wasRefused } from "./dom.js";
import { getJSON } from "./api.js";
import { filters, isFiltered, link, onChange, state, filterNames } from "./state.js";

const firstPage = 60; // small, so that a key in the search is answered at once
const pageSize = 200;
const spare = 10; // rows above and below those in view

let requests = [];
let rows = [];
let total = 0, more = false;
let loading = null; // cancels the running query
let fetchingMore = false;
const drawn = new Map(); // the elements of rows, by key
export const selection = new Set(); // ids of requests

const scroller = $("rows"), list = $("list");
let onOpen = () => {}, onSelection = () => {};

export function start({ open, select }) {
  onOpen = open;
  onSelection = select;
  scroller.addEventListener("scroll", drawSoon, { passive: true });
  new ResizeObserver(() => { measure(); draw(); }).observe(scroller);
  onChange((changed) => {
    if (filterNames.some((name) => changed.has(name))) load();
    else if (changed.has("request") || changed.has("event")) draw();
  });
  list.addEventListener("click", (e) => {
    const row = e.target.closest("li");
    // With a modifier, the browser opens the link in a tab or window of its own.
    if (!row || e.target.closest(".pick") || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
    e.preventDefault();
    const [request, event] = row.dataset.key.split(".");
    onOpen(request, event);
  });
  list.addEventListener("change", (e) => {
    const id = Number(e.target.closest("li").dataset.key.split(".")[0]);
    if (e.target.checked) selection.add(id); else selection.delete(id);
    draw();
    onSelection();
  });
  return load();
}

// load asks for the first page. A reply that a later query overtakes is dropped.
export async function load() {
  loading?.abort();
  const mine = loading = new AbortController();
  try {
    const answer = await getJSON("requests", { ...filters(), limit: firstPage }, { signal: mine.signal });
    requests = answer.requests;
    ({ total, more } = answer);
    list.replaceChildren(); // after an import, an id may be that of another request
    drawn.clear();
    $("mount").textContent = `${location.origin}${answer.mount}/{esp}/tracking/ or /inbound/`;
    scroller.scrollTop = 0;
    show();
    announce(describe());
  } catch (error) {
    if (error.name !== "AbortError") complain(error);
  } finally {
    if (loading === mine) loading = null;
  }
}

function complain(error) {
  $("count").textContent = `The list could not be loaded: ${error.message}`;
}

// refresh adds the requests that arrived since. It does so at most four times a
// second, however many arrive.
let refreshing = false, again = false;
export async function refresh() {
  if (refreshing) { again = true; return; }
  refreshing = true;
  do {
    again = false;
    const before = loading;
    try {
      const answer = await getJSON("requests", { ...filters(), limit: pageSize });
      if (loading === before && !loading) merge(answer);
    } catch (error) {
      complain(error);
    }
    await new Promise((done) => setTimeout(done, 250));
  } while (again);
  refreshing = false;
}

function merge(answer) {
  const newest = requests[0]?.id ?? 0;
  const fresh = answer.requests.filter((r) => r.id > newest);
  total = answer.total;
  if (fresh.length === answer.requests.length) { // nothing in common with what is here
    requests = answer.requests;
    more = answer.more;
  } else {
    requests = [...fresh, ...requests];
  }
  const height = rows.length * rowHeight, top = scroller.scrollTop;
  show();
  if (top > 0) scroller.scrollTop = top + rows.length * rowHeight - height; // what is read stays in place
}

async function loadMore() {
  if (!more || fetchingMore || loading) return;
  fetchingMore = true;
  const last = requests.at(-1).id;
  try {
    const answer = await getJSON("requests", { ...filters(), limit: pageSize, before: last });
    if (requests.at(-1)?.id === last && !loading) {
      requests = requests.concat(answer.requests);
      more = answer.more;
      show();
    }
  } catch (error) {
    complain(error);
  } finally {
    fetchingMore = false;
  }
}

// rowsOf returns the rows of a request. The server sends the events that the filters
// choose.
const rowsOf = (r) => r.events.length === 0 ? [{ key: `${r.id}.0`, r, e: null }] : r.events.map((e) => ({ key: `${r.id}.${e.n}`, r, e }));

function describe() {
  if (rows.length === 0) return isFiltered() ? "No request matches." : "No requests.";
  const events = requests.reduce((n, r) => n + r.events.length, 0);
  const shown = more ? `the latest ${plural(requests.length, "request")} of ${total.toLocaleString("en")}` : plural(total, "request");
  return `${shown[0].toUpperCase()}${shown.slice(1)}, ${plural(events, "event")}`;
}

function show() {
  rows = requests.flatMap(rowsOf);
  const filtered = isFiltered();
  $("empty").hidden = rows.length > 0 || filtered;
  $("no-match").hidden = rows.length > 0 || !filtered;
  scroller.hidden = rows.length === 0;
  $("count").textContent = rows.length ? describe() : "";
  $("pick-all").disabled = rows.length === 0;
  draw();
}

// --- drawing ---

let rowHeight = 0;
function measure() {
  const first = drawn.values().next().value;
  if (first) rowHeight = first.getBoundingClientRect().height || rowHeight;
}

let drawing = false;
function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; draw(); });
}

const keyOpen = () => state.request && `${state.request}.${state.event || 0}`;

function draw() {
  if (!rowHeight && rows.length) {
    const li = drawn.get(rows[0].key) ?? row(rows[0]);
    list.append(li);
    drawn.set(rows[0].key, li);
    measure();
  }
  const height = rowHeight || 40;
  list.style.height = `${rows.length * height}px`;
  const first = Math.max(0, Math.floor(scroller.scrollTop / height) - spare);
  const end = Math.min(rows.length, Math.ceil((scroller.scrollTop + scroller.clientHeight) / height) + spare);
  const wanted = new Map();
  for (let i = first; i < end; i++) wanted.set(rows[i].key, i);
  // The row with the focus stays, or the focus would be lost by scrolling.
  const focused = document.activeElement?.closest?.("#list li")?.dataset.key;
  if (focused && !wanted.has(focused)) {
    const i = rows.findIndex((r) => r.key === focused);
    if (i >= 0) wanted.set(focused, i);
  }
  for (const [key, li] of drawn) {
    if (!wanted.has(key)) { li.remove(); drawn.delete(key); }
  }
  const open = keyOpen();
  let previous = null;
  for (const [key, i] of [...wanted].sort((a, b) => a[1] - b[1])) {
    let li = drawn.get(key);
    if (!li) drawn.set(key, li = row(rows[i]));
    // The order in the document is that in view, for the Tab key and screen readers.
    const place = previous ? previous.nextSibling : list.firstChild;
    if (place !== li) list.insertBefore(li, place);
    previous = li;
    li.style.top = `${i * height}px`;
    li.setAttribute("aria-posinset", i + 1);
    li.setAttribute("aria-setsize", more ? -1 : rows.length);
    const a = li.querySelector("a"), isOpen = key === open;
    const [request, event] = key.split(".");
    a.href = link({ request, event, tab: "", part: "" });
    if (isOpen) a.setAttribute("aria-current", "true"); else a.removeAttribute("aria-current");
    li.classList.toggle("open", isOpen);
    li.querySelector("input").checked = selection.has(rows[i].r.id);
  }
  if (end > rows.length - 20) loadMore();
}

function row({ key, r, e }) {
  const what = e ? e.type : wasRefused(r) ? "refused" : "ping";
  const detail = e ? [e.reason && mark(e.reason), e.subject && element("span", { textContent: e.subject })]
    : [element("span", { textContent: (r.reason || r.error || "").replace(/^not authenticated: /, "") })];
  const esp = e?.esp || r.esp || r.name || "";
  const source = r.source && r.source !== "received" ? element("span", { className: "source", textContent: r.source }) : null;
  const li = element("li", {},
    element("label", { className: "pick" }, element("input", { type: "checkbox", "aria-label": `Select request ${r.id}` })),
    element("a", {},
      element("time", { dateTime: r.time, textContent: time(r.time), title: new Date(r.time).toISOString() }), " ",
      element("span", { className: "type" }, badge(what)), " ",
      element("span", { className: "esp", textContent: esp, title: r.name && r.name !== esp ? `${esp}, account ${r.name}` : esp }), " ",
      element("span", { className: "recipient", textContent: e ? e.recipient : r.path, title: e ? e.recipient : r.path }), " ",
      element("span", { className: "reason", title: e ? e.subject || e.reason || "" : r.error || "" }, detail, source), " ",
      element("span", { className: "answer" }, element("span", { className: "hidden", textContent: "answered " }), pill(r))));
  li.dataset.key = key;
  return li;
}

// --- moving and selecting ---

const indexOpen = () => rows.findIndex((r) => r.key === keyOpen());

// move returns the request and event that are step rows from the current one.
export function move(step) {
  const focused = document.activeElement?.closest?.("#list li")?.dataset.key;
  const current = focused ? rows.findIndex((r) => r.key === focused) : indexOpen();
  const to = current < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, current + step));
  if (!rows[to]) return null;
  reveal(to);
  const [request, event] = rows[to].key.split(".");
  return { request, event };
}

function reveal(i) {
  const height = rowHeight || 40;
  if (i * height < scroller.scrollTop) scroller.scrollTop = i * height;
  else if ((i + 1) * height > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = (i + 1) * height - scroller.clientHeight;
  draw();
  drawn.get(rows[i].key)?.querySelector("a").focus({ preventScroll: true });
}

// focusRow moves the focus to the row of a request and event, or to the first one.
export function focusRow(request, event) {
  const i = rows.findIndex((r) => r.key === `${request}.${event || 0}`);
  if (rows.length) reveal(Math.max(0, i));
}

// pick selects the request of the row with the focus, or the open one.
export function pick() {
  const key = document.activeElement?.closest?.("#list li")?.dataset.key ?? keyOpen();
  if (!key) return;
  const id = Number(key.split(".")[0]);
  if (!selection.delete(id)) selection.add(id);
  draw();
  onSelection();
}

export function pickAll(all) {
  selection.clear();
  if (all) for (const { r } of rows) selection.add(r.id);
  draw();
  onSelection();
}

export const loaded = () => requests;
