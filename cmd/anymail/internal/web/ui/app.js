"use strict";

const $ = (id) => document.getElementById(id);
const requests = new Map(); // by id, in order of arrival
let selected = null;
let origin = location.origin;

// element makes an element; text is only ever set as text.
function element(name, props = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (key in e && key !== "list") e[key] = value; else e.setAttribute(key, value);
  }
  e.append(...children);
  return e;
}

const api = (path, options = {}) =>
  fetch(path, { ...options, headers: { "X-Anymail": "1", "Content-Type": "application/json" } });

function add(r) {
  requests.set(r.id, r);
  while (requests.size > 2000) requests.delete(requests.keys().next().value);
}

async function load() {
  const answer = await (await api("api/requests")).json();
  requests.clear();
  answer.requests.forEach(add);
  origin = location.origin + answer.mount;
  $("mount").textContent = "Post to " + origin + "/{esp}/tracking/ or /inbound/";
  render();
}

// rows are what the list shows: one for each event, one for a request without.
function rows() {
  const out = [];
  for (const r of requests.values()) {
    if (r.events.length === 0) out.push({ r, e: { esp: r.name, type: "", recipient: "" } });
    for (const e of r.events) out.push({ r, e });
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

function render() {
  const all = rows();
  options("esp", all.map(({ e }) => e.esp));
  options("type", all.map(({ e }) => e.type));
  const shown = all.filter(passes).slice(0, 500);
  const focused = document.activeElement?.dataset?.id;
  $("list").replaceChildren(...shown.map(({ r, e }) => {
    const time = new Date(r.time).toLocaleTimeString();
    const what = e.type || (refused(r) ? "rejected" : "ping");
    const open = element("button", { type: "button", textContent: time, onclick: () => show(r.id) });
    open.dataset.id = r.id;
    open.setAttribute("aria-label", `Show request of ${time}: ${e.esp} ${what} ${e.recipient}, answered ${r.status}`);
    const row = element("tr", {}, element("td", {}, open), element("td", { textContent: e.esp }), element("td", { textContent: what }),
      element("td", { textContent: e.recipient }), element("td", { textContent: e.reason || e.subject || (r.error && `${r.path}: ${r.error}`) || "" }),
      element("td", { textContent: r.status, className: refused(r) ? "bad" : "good" }));
    row.setAttribute("aria-selected", String(r.id === selected));
    return row;
  }));
  if (focused) document.querySelector(`button[data-id="${focused}"]`)?.focus();
  $("empty").hidden = all.length > 0;
  chart();
}

// chart counts the events of each of the last 30 minutes.
function chart() {
  const now = Date.now(), good = Array(30).fill(0), bad = Array(30).fill(0);
  for (const r of requests.values()) {
    const minute = 29 - Math.floor((now - new Date(r.time)) / 60000);
    if (minute < 0 || minute > 29) continue;
    if (refused(r)) bad[minute]++; else good[minute] += Math.max(1, r.events.length);
  }
  const most = Math.max(1, ...good.map((n, i) => n + bad[i]));
  const svg = $("chart");
  svg.replaceChildren();
  const bar = (i, from, n, kind) => {
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const height = 56 * n / most;
    for (const [k, v] of Object.entries({ x: i * 20 + 2, width: 16, y: 60 - 56 * from / most - height, height, class: kind })) rect.setAttribute(k, v);
    svg.append(rect);
  };
  good.forEach((n, i) => { bar(i, 0, n, "good"); bar(i, n, bad[i], "bad"); });
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  $("chart-text").textContent = `${sum(good)} accepted, ${sum(bad)} rejected requests; at most ${most} in a minute.`;
}

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
    element("pre", { tabIndex: 0, textContent: `${d.method} ${d.path}\n${lines.join("\n")}\n\n${d.body ?? "(base64) " + d.body_base64}` }));
  parts.push(replay(id, d));
  $("detail-title").textContent = `Request ${id}: ${d.summary.name || "no adapter"}, answered ${d.summary.status}`;
  $("detail-body").replaceChildren(...parts);
  render();
  // Beside the list the page stays where it is; below it, it moves there.
  $("detail").focus({ preventScroll: matchMedia("(min-width: 1001px)").matches });
}

function pretty(raw) {
  if (typeof raw !== "string") return raw ? "(base64) " + raw.base64 : "";
  try { return JSON.stringify(JSON.parse(raw), null, 2); } catch { return raw; }
}

function event(id, ev, n) {
  const { raw, ...rest } = ev;
  const parts = [element("h3", { textContent: `Event ${n + 1}: ${ev.event_type}` }),
    element("div", { className: "pair" },
      element("div", {}, element("h3", { textContent: "Normalized" }), element("pre", { tabIndex: 0, textContent: JSON.stringify(rest, null, 2) })),
      element("div", {}, element("h3", { textContent: "As the ESP sent it" }), element("pre", { tabIndex: 0, textContent: pretty(raw) })))];
  if (ev.kind !== "inbound") return parts;
  const base = `api/requests/${id}/events/${n}`;
  if (ev.message.html) {
    // The answer's policy is a sandbox, too; nothing in it runs or loads.
    const frame = element("iframe", { title: "Message, without scripts and remote content", src: base + "/html" });
    frame.setAttribute("sandbox", "");
    parts.push(element("h3", { textContent: "Message" }), frame);
  }
  const attachments = ev.message.attachments ?? [];
  if (attachments.length) {
    parts.push(element("h3", { textContent: "Attachments" }), element("ul", {}, ...attachments.map((a, i) =>
      element("li", {}, element("a", { href: `${base}/attachments/${i}`, textContent: a.filename || "(no name)" }), ` ${a.content_type}, ${a.size} bytes, ${a.disposition}`))));
  }
  return parts;
}

function replay(id, d) {
  const target = element("input", { type: "url", required: true, value: origin + d.path.replace(/^\/anymail/, "") });
  const outcome = element("output", {});
  outcome.setAttribute("aria-live", "polite");
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

for (const id of ["esp", "type", "recipient", "rejected"]) $(id).addEventListener("input", render);
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
source.onmessage = (e) => {
  const r = JSON.parse(e.data);
  add(r);
  $("live").textContent = refused(r) ? `Rejected a request to ${r.path}` : `New: ${r.events.map((x) => `${x.esp} ${x.type}`).join(", ") || r.path}`;
  render();
};
setInterval(chart, 30000);
