// A received message, as a mail program shows it.

import { element, text } from "./dom.js";
import { getText } from "./api.js";
import { tabs } from "./tabs.js";
import { change, state } from "./state.js";

const addresses = (list) => (list ?? []).map((a) => a.name ? `${a.name} <${a.address}>` : a.address).join(", ");

// message shows the message of an event, whose parts are below the URL base.
export function message(base, m) {
  const head = [["From", addresses(m.from)], ["To", addresses(m.to)], ["Cc", addresses(m.cc)], ["Reply to", addresses(m.reply_to)], ["Subject", m.subject],
    ["Date", m.date], ["Received for", m.envelope_recipient], ["Sender", m.envelope_sender], ["Spam", spam(m)], ["Checks", checks(m)]];
  const attachments = m.attachments ?? [];
  const items = [
    m.html ? { id: "html", title: "HTML", render: () => frame(base) } : null,
    { id: "text", title: "Text", render: () => m.text ? text(m.text) : element("p", { textContent: "The message has no text." }) },
    { id: "source", title: "Source", render: () => source(base) },
    { id: "attachments", title: `Attachments (${attachments.length})`, render: () => files(base, attachments) },
  ].filter(Boolean);
  return [
    element("dl", {}, head.filter(([, value]) => value).flatMap(([name, value]) => [element("dt", { textContent: name }), element("dd", { textContent: value })])),
    tabs({ name: "part", label: "Parts of the message", items, selected: state.part, onSelect: (part) => change({ part }, { replace: true }) }),
  ];
}

function spam(m) {
  if (m.spam_detected === undefined && m.spam_score === undefined) return "";
  return [m.spam_detected === undefined ? "" : m.spam_detected ? "yes" : "no", m.spam_score === undefined ? "" : `score ${m.spam_score}`].filter(Boolean).join(", ");
}

const checks = (m) => Object.entries(m.authentication ?? {}).filter(([, value]) => value).map(([name, value]) => `${name} ${value}`).join(", ");

// frame shows the HTML where it can do nothing: the answer's policy is a sandbox,
// too, without scripts, forms and remote content.
function frame(base) {
  const f = element("iframe", { title: "Message, without scripts and remote content", src: `api/${base}/html` });
  f.setAttribute("sandbox", "");
  return f;
}

function source(base) {
  const place = element("div", { textContent: "Loading…" });
  getText(`${base}/source`).then(
    (content) => place.replaceChildren(text(content)),
    (error) => { place.textContent = error.status === 404 ? "This ESP does not send the whole message." : error.message; });
  return place;
}

function files(base, attachments) {
  if (attachments.length === 0) return element("p", { textContent: "The message has no attachments." });
  return element("ul", { className: "files" }, attachments.map((a, i) => element("li", {},
    element("a", { href: `api/${base}/attachments/${i}`, textContent: a.filename || `attachment ${i + 1}` }), " ",
    element("span", { textContent: [a.content_type, size(a.size), a.disposition].filter(Boolean).join(", ") }))));
}

const size = (bytes) => bytes < 1024 ? `${bytes} bytes` : bytes < 1 << 20 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / (1 << 20)).toFixed(1)} MB`;
