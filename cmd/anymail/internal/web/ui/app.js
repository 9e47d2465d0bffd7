"use strict";

const $ = (id) => document.getElementById(id);
const requests = new Map(); // by id, in order of arrival
const filters = ["esp", "type", "recipient", "rejected"];
let selected = null;

// element makes an element; text is only ever set as text.
function element(name, props = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (key in e) e[key] = value; else e.setAttribute(key, value);
  }
  e.append(...children);
  return e;
}

const api = (path, options = {}) =>
  fetch(path, { ...options, headers: { "X-Anymail": "1", "Content-Type": "application/json" } });

// --- the list ---

function add(r) {
  requests.set(r.id, r);
  while (requests.size > 2000) requests.delete(requests.keys().next().value);
}

async function load() {
  const answer = await (await api("api/requests")).json();
  requests.clear();
  answer.requests.reverse().forEach(add);
  $("mount").textContent = `Post to ${location.origin}${answer.mount}/{esp}/tracking/ or /inbound/`;
  render();
}

// draw renders at most once a frame, however many requests come in.
let drawing = false;
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; render(); });
}

// rows are what the list shows: one for each event, one for a request without.
function rows() {
  const out = [];
  for (const r of requests.values()) {
    const events = r.events.length ? r.events : [{ esp: r.name, type: "", recipient: "" }];
    events.forEach((e, n) => out.push({ r, e, key: `${r.id}.${n}` }));
  }
  return out.reverse();
}

const refused = (r) => r.status < 200 || r.status > 299;

function passes({ r, e }) {
  return (!$("esp").value || e.esp === $("esp").value) &&
    (!$("type").value || e.type === $("type").value) &&
    (!$("rejected").checked || refused(r)) &&
    e.recipient.toLowerCase().includes($("recipient").value.trim().toLowerCase());
}

function options(id, values) {
  const select = $(id), chosen = select.value;
  select.replaceChildren(element("option", { value: "", textContent: "all" }),
    ...[...new Set(values)].filter(Boolean).sort().map((v) => element("option", { value: v, textContent: v })));
  select.value = [...select.options].some((o) => o.value === chosen) ? chosen : "";
}

const cell = (text, props = {}) => element("td", { textContent: text, title: text, ...props });

function row({ r, e, key }, n) {
  const time = new Date(r.time).toLocaleTimeString([], { hourCycle: "h23" });
  const what = e.type || (refused(r) ? "rejected" : "ping");
  const open = element("button", {
    type: "button", textContent: time, onclick: () => show(r.id),
    "aria-label": `Show request of ${time}: ${e.esp} ${what} ${e.recipient}, answered ${r.status}`,
  });
  open.dataset.row = n;
  open.dataset.key = key;
  if (r.id === selected) open.setAttribute("aria-current", "true");
  return element("tr", {}, element("td", {}, open), cell(e.esp), cell(what), cell(e.recipient),
    cell(e.reason || e.subject || (r.error && `${r.error} (${r.path})`) || ""),
    cell(r.status, { className: refused(r) ? "bad" : "good" }));
}

function render() {
  const all = rows();
  options("esp", all.map(({ e }) => e.esp));
  options("type", all.map(({ e }) => e.type));
  const shown = all.filter(passes);
  const focused = document.activeElement?.dataset?.key;
  $("list").replaceChildren(...shown.slice(0, 500).map(row));
  if (focused) $("list").querySelector(`button[data-key="${focused}"]`)?.focus({ preventScroll: true });
  $("count").textContent = shown.length > 500 ? `The latest 500 of ${shown.length}.` : "";
  $("empty").hidden = all.length > 0;
  chart();
}

// The arrow keys go from row to row.
$("list").addEventListener("keydown", (e) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
  if (!step || e.target.dataset.row === undefined) return;
  e.preventDefault();
  $("list").querySelector(`button[data-row="${Number(e.target.dataset.row) + step}"]`)?.focus();
});

// --- the chart ---

// chart counts the events of each of the last 30 minutes.
function chart() {
  const now = Date.now(), good = Array(30).fill(0), bad = Array(30).fill(0);
  for (const r of requests.values()) {
    const minute = 29 - Math.floor((now - new Date(r.time)) / 60000);
    if (minute < 0 || minute > 29) continue;
    if (refused(r)) bad[minute]++; else good[minute] += Math.max(1, r.events.length);
  }
  const most = Math.max(1, ...good.map((n, i) => n + bad[i]));
  const shape = (name, attributes, ...children) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    e.append(...children);
    return e;
  };
  const bar = (i, from, n, kind) => {
    const height = 56 * n / most;
    return shape("rect", { x: i * 20 + 2, width: 16, y: 60 - 56 * from / most - height, height, class: kind },
      shape("title", {}, `${n} ${kind}, ${29 - i} minutes ago`));
  };
  $("chart").replaceChildren(...good.flatMap((n, i) => [bar(i, 0, n, "accepted"), bar(i, n, bad[i], "rejected")]));
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  $("chart-text").textContent = `${sum(good)} accepted, ${sum(bad)} rejected; at most ${most} in a minute.`;
}

// --- one request ---

async function show(id) {
  selected = id;
  const answer = await api(`api/requests/${id}`);
  if (!answer.ok) return;
  const d = await answer.json();
  const parts = [];
  if (d.summary.error) parts.push(element("p", { className: "bad", textContent: "Rejected: " + d.summary.error }));
  d.events.forEach((ev, n) => parts.push(...event(id, ev, n)));
  if (d.events.length === 0) parts.push(element("p", { textContent: "No events." }));
  const lines = Object.entries(d.header).flatMap(([name, values]) => values.map((v) => `${name}: ${v}`)).sort();
  parts.push(element("h3", { textContent: "Request" }),
    element("pre", { tabIndex: 0, textContent: `${d.method} ${d.path}\n${lines.join("\n")}\n\n${d.body ?? "(base64) " + d.body_base64}` }),
    element("p", {}, element("a", { href: `api/requests/${id}/http`, textContent: "Save it as a file" }), " for anymail inspect. Credentials are left out."),
    replay(id, d));
  $("detail-title").textContent = `Request ${id}: ${d.summary.name || "no adapter"}, answered ${d.summary.status}`;
  $("detail-body").replaceChildren(...parts);
  render();
  // Next to the list the page stays where it is; below it, it moves there.
  $("detail").focus({ preventScroll: matchMedia("(min-width: 1001px)").matches });
}

function pretty(raw) {
  if (typeof raw !== "string") return raw ? "(base64) " + raw.base64 : "";
  try { return JSON.stringify(JSON.parse(raw), null, 2); } catch { return raw; }
}

const titled = (title, ...children) => [element("h3", { textContent: title }), ...children];
const text = (content) => element("pre", { tabIndex: 0, textContent: content });

function event(id, ev, n) {
  const { raw, ...rest } = ev;
  const parts = titled(`Event ${n + 1}: ${ev.event_type}`);
  if (ev.kind === "inbound") parts.push(...message(`api/requests/${id}/events/${n}`, ev.message));
  parts.push(element("div", { className: "pair" },
    element("div", {}, ...titled("Normalized", text(JSON.stringify(rest, null, 2)))),
    element("div", {}, ...titled("As the ESP sent it", text(pretty(raw))))));
  return parts;
}

// message shows a received message as a mail program does.
function message(base, m) {
  const list = (addresses) => (addresses ?? []).map((a) => a.name ? `${a.name} <${a.address}>` : a.address).join(", ");
  const head = [["From", list(m.from)], ["To", list(m.to)], ["Cc", list(m.cc)], ["Subject", m.subject], ["Date", m.date],
    ["Received for", m.envelope_recipient]].filter(([, value]) => value);
  const parts = [element("dl", {}, ...head.flatMap(([name, value]) => [element("dt", { textContent: name }), element("dd", { textContent: value })]))];
  if (m.html) {
    // The answer's policy is a sandbox, too; nothing in it runs or loads.
    const frame = element("iframe", { title: "Message, without scripts and remote content", src: base + "/html" });
    frame.setAttribute("sandbox", "");
    parts.push(frame);
  } else {
    parts.push(text(m.text ?? ""));
  }
  const attachments = m.attachments ?? [];
  if (attachments.length) {
    parts.push(...titled("Attachments", element("ul", {}, ...attachments.map((a, i) =>
      element("li", {}, element("a", { href: `${base}/attachments/${i}`, textContent: a.filename || "(no name)" }), ` ${a.content_type}, ${a.size} bytes, ${a.disposition}`)))));
  }
  return parts;
}

function replay(id, d) {
  const target = element("input", { type: "url", required: true, value: location.origin + d.path });
  const outcome = element("output", { "aria-live": "polite" });
  return element("form", {
    className: "replay",
    onsubmit: async (e) => {
      e.preventDefault();
      outcome.textContent = "…";
      const answer = await api(`api/requests/${id}/replay`, { method: "POST", body: JSON.stringify({ url: target.value }) });
      if (!answer.ok) { outcome.textContent = await answer.text(); return; }
      const a = await answer.json();
      outcome.textContent = a.error ? "Failed: " + a.error : `Answered ${a.status} in ${a.milliseconds} ms`;
    },
  }, element("label", {}, "Send again to", target), element("button", { textContent: "Send" }), outcome);
}

// --- what the user and the server do ---

for (const id of filters) $(id).addEventListener("input", render);
$("filters").addEventListener("submit", (e) => e.preventDefault());
$("clear").addEventListener("click", async () => {
  await api("api/requests", { method: "DELETE" });
  selected = null;
  $("detail-title").textContent = "Select a request";
  $("detail-body").replaceChildren();
  await load();
});

const source = new EventSource("api/stream");
source.onopen = () => { $("live").textContent = "Live"; load(); };
source.onerror = () => { $("live").textContent = "Connection lost, trying again"; };
source.addEventListener("request", (e) => {
  const r = JSON.parse(e.data);
  add(r);
  $("live").textContent = refused(r) ? `Rejected a request to ${r.path}` : `New: ${r.events.map((x) => `${x.esp} ${x.type}`).join(", ") || r.path}`;
  draw();
});
setInterval(chart, 30000);
