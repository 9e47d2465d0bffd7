// One request, with tabs: why it was refused, the event, what the ESP sent.

import { $, announce, badge, copy, element, isUnrouted, moment, notify, pill, text, wasRefused } from "./dom.js";
import { getText } from "./api.js";
import { foldAll, indent, member, parse, plain, tree, without } from "./json.js";
import { message } from "./message.js";
import { replay } from "./replay.js";
import { report, unrouted } from "./report.js";
import { change, link, state } from "./state.js";
import { tabs } from "./tabs.js";

const body = $("detail-body"), title = $("detail-title");
let loading = null;
let shown = ""; // the request and event that are shown

// show shows what the URL names. With focus, it moves there, as after a click.
export async function show({ focus = false, again = false } = {}) {
  loading?.abort();
  document.body.classList.toggle("has-detail", state.request !== "");
  if (!state.request) {
    shown = "";
    title.textContent = "Select a request";
    body.replaceChildren();
    return;
  }
  const key = `${state.request}.${state.event || 0}`;
  if (key === shown && !again) {
    if (focus) title.focus();
    return;
  }
  const mine = loading = new AbortController();
  // A report may take a while. What is shown until then is of another request.
  const late = setTimeout(() => {
    title.textContent = `Request ${state.request}`;
    body.replaceChildren(element("p", { className: "note", textContent: "Loading…" }));
  }, 250);
  try {
    const source = await getText(`requests/${encodeURIComponent(state.request)}`, { signal: mine.signal });
    shown = key;
    render(JSON.parse(source), parse(plain(source)));
    if (focus) title.focus();
    announce(title.textContent);
  } catch (error) {
    if (error.name === "AbortError") return;
    shown = "";
    title.textContent = `Request ${state.request}`;
    body.replaceChildren(element("p", { textContent: error.status === 404 ? "This request is not kept any more." : `It could not be loaded: ${error.message}` }));
    if (focus) title.focus();
  } finally {
    clearTimeout(late);
  }
}

export const close = () => change({ request: "", event: "", tab: "", part: "" });

// render shows a request. exact is the same as detail, with numbers as they were sent.
function render(detail, exact) {
  const { summary } = detail, id = summary.id;
  const n = Math.min(Number(state.event) || 0, Math.max(0, detail.events.length - 1));
  const event = detail.events[n], node = member(member(exact, "events"), n);
  title.textContent = `Request ${id}: ${summary.esp || summary.name || summary.path}`;
  const items = [
    isUnrouted(summary) ? { id: "report", title: "Report", render: () => unrouted(detail) }
      : wasRefused(summary) ? { id: "report", title: "Report", render: () => report(detail) } : null,
    event?.kind === "inbound" ? { id: "mail", title: "Mail", render: () => message(`requests/${id}/events/${n}`, event.message) } : null,
    event ? { id: "event", title: "Event", render: () => pair(node, event) } : null,
    event ? { id: "own", title: "ESP’s own", render: () => own(event) } : null,
    { id: "headers", title: "Headers", render: () => headers(detail) },
    { id: "body", title: "Body", render: () => content(detail) },
    { id: "replay", title: "Send again", render: () => replay(detail) },
  ].filter(Boolean);
  body.replaceChildren(facts(summary, event), ...(detail.events.length > 1 ? [batch(detail.events, n)] : []), copies(id, event && node),
    tabs({ name: "tab", label: "Parts of the request", items, selected: state.tab, onSelect: (tab) => change({ tab }, { replace: true }) }));
}

function facts(summary, event) {
  const parts = [pill(summary), event ? badge(event.event_type) : null,
    element("time", { dateTime: summary.time, textContent: moment(summary.time) }),
    element("code", { textContent: `${summary.method} ${summary.path}` })];
  if (summary.name && summary.name !== summary.esp) parts.push(element("span", { textContent: `account ${summary.name}` }));
  if (summary.source && summary.source !== "received") parts.push(element("span", { className: "source", textContent: summary.source }));
  if (summary.answered) parts.push(element("span", { className: "source", textContent: `${summary.answered} was sent instead` }));
  return element("div", { className: "facts" }, parts);
}

// batch goes through the events of one request.
function batch(events, n) {
  const go = (to) => change({ event: String(to), part: "" }, { replace: true });
  const button = (label, name, to) => element("button", { type: "button", "aria-label": label, disabled: to < 0 || to >= events.length, textContent: name, onclick: () => go(to) });
  const select = element("select", { "aria-label": "Event of the batch", onchange: (e) => go(e.target.value) },
    events.map((ev, i) => element("option", { value: i, textContent: `${i + 1} of ${events.length}: ${ev.event_type} ${ev.recipient ?? ""}` })));
  select.value = n;
  return element("div", { className: "batch" }, element("span", { textContent: "Event" }), button("Previous event", "‹", n - 1), select, button("Next event", "›", n + 1));
}

function copies(id, node) {
  const fetched = (name, what) => async () => {
    try { await copy(await getText(`requests/${id}/${name}`), what); } catch (error) { notify(error.message, true); }
  };
  const button = (label, onclick) => element("button", { type: "button", onclick, textContent: label });
  return element("div", { className: "copies", role: "group", "aria-label": "Copy and save" },
    node ? button("Copy JSON", () => copy(indent(node), "the event as JSON")) : null,
    button("Copy curl", fetched("curl", "the curl command")),
    button("Copy Go test", fetched("gotest", "the Go test")),
    button("Copy link", () => copy(location.origin + link({}), "the link")),
    element("a", { className: "button", href: `api/requests/${id}/http`, textContent: "Save", title: "Save the request for anymail inspect; credentials are left out" }));
}

// json shows a tree with its buttons, and next to them a way to see the text.
function json(node, original) {
  const view = tree(node), asText = text(original ?? indent(node));
  asText.hidden = true;
  const toggle = element("button", { type: "button", "aria-pressed": "false", textContent: "As text", onclick: () => {
    asText.hidden = !asText.hidden;
    view.hidden = !asText.hidden;
    toggle.setAttribute("aria-pressed", String(!asText.hidden));
  } });
  return [element("div", { className: "fold" },
    element("button", { type: "button", textContent: "Unfold all", onclick: () => foldAll(view.parentElement, true) }),
    element("button", { type: "button", textContent: "Fold all", onclick: () => foldAll(view.parentElement, false) }), toggle), view, asText];
}

// pair shows the normalized event, and the ESP's own next to it if there is room.
function pair(node, event) {
  return element("div", { className: "pair" },
    element("section", {}, element("h3", { textContent: "Normalized" }), json(without(node, "raw"))),
    element("section", { className: "beside" }, element("h3", { textContent: "As the ESP sent it" }), own(event)));
}

function own(event) {
  const raw = event.raw;
  if (raw === undefined || raw === null || raw === "") return element("p", { textContent: "The whole body is the ESP’s event: see Body." });
  return typeof raw === "string" ? written(raw) : element("div", {}, text("(base64) " + raw.base64));
}

// written shows text as what it is: JSON, fields of a form, or text.
function written(content) {
  const node = parse(content);
  if (node?.entries) return element("div", {}, json(node, content));
  return element("div", {}, text(content));
}

function headers(detail) {
  const lines = Object.entries(detail.header).flatMap(([name, values]) => values.map((value) => [name, value])).sort((a, b) => a[0].localeCompare(b[0]));
  return element("table", { className: "headers" },
    element("caption", { textContent: `${detail.summary.method} ${detail.summary.path}, host ${detail.host}` }),
    element("tbody", {}, lines.map(([name, value]) => element("tr", {}, element("th", { scope: "row", textContent: name }), element("td", { textContent: value })))));
}

function content(detail) {
  if (detail.body === undefined) return text("(base64) " + (detail.body_base64 ?? ""));
  if (detail.body === "") return element("p", { textContent: "The request has no body, or one over the limit." });
  const type = (detail.header["Content-Type"] ?? [""])[0];
  if (!type.startsWith("application/x-www-form-urlencoded")) return written(detail.body);
  return [element("table", { className: "headers" }, element("caption", { textContent: "Fields of the form" }),
    element("tbody", {}, [...new URLSearchParams(detail.body)].map(([name, value]) => element("tr", {}, element("th", { scope: "row", textContent: name }), element("td", {}, value.startsWith("{") ? written(value) : value))))),
    element("h3", { textContent: "As it was sent" }), text(detail.body)];
}

