// What every part of the page uses to make and to announce things.

export const $ = (id) => document.getElementById(id);

// element makes an element. Text is only ever set as text, so nothing that a
// request contains becomes markup.
export function element(name, props = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (key in e) e[key] = value; else e.setAttribute(key, value);
  }
  e.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return e;
}

const drawings = {
  accepted: "M3 8.5l3.2 3.2L13 5",
  refused: "M8 1.5l5.5 2v4c0 3.5-2.3 6-5.5 7-3.2-1-5.5-3.5-5.5-7v-4zM6 6l4 4M10 6l-4 4",
  unrouted: "M3 3l10 10M3 8h4M9 8h4",
  ping: "M8 5.5a2.5 2.5 0 100 5 2.5 2.5 0 000-5z",
  queued: "M3 8h.01M8 8h.01M13 8h.01",
  sent: "M2 8h11M9 4l4 4-4 4",
  delivered: "M1.5 8.5l3 3L11 5M7.5 10.5l1 1L15 5",
  deferred: "M8 2a6 6 0 100 12A6 6 0 008 2zM8 4.5V8l2.5 1.5",
  bounced: "M5.5 3L2 6.5 5.5 10M2 6.5h8a3.5 3.5 0 010 7H7",
  rejected: "M8 2a6 6 0 100 12A6 6 0 008 2zM3.8 3.8l8.4 8.4",
  failed: "M4 4l8 8M12 4l-8 8",
  autoresponded: "M6 3L2 7l4 4M2 7h6c3.5 0 5.5 2 6 6",
  opened: "M1 8s2.5-4.5 7-4.5S15 8 15 8s-2.5 4.5-7 4.5S1 8 1 8zM8 6.2a1.8 1.8 0 100 3.6 1.8 1.8 0 000-3.6z",
  clicked: "M4 2l9 5.5-4 1.2L7.3 13zM9 9l4 4.5",
  complained: "M3.5 14.5v-13M3.5 2.5h9l-2 3 2 3h-9",
  unsubscribed: "M8 2a6 6 0 100 12A6 6 0 008 2zM5 8h6",
  subscribed: "M8 2a6 6 0 100 12A6 6 0 008 2zM5 8h6M8 5v6",
  inbound: "M1.5 3.5h13v9h-13zM1.5 4l6.5 5 6.5-5",
  inbound_failed: "M1.5 3.5h13v9h-13zM6 6l4 4M10 6l-4 4",
  unknown: "M5.5 6a2.5 2.5 0 115 0c0 1.7-2.5 1.7-2.5 3.5M8 12.5h.01",
  invalid: "M7 2a3 3 0 100 6 3 3 0 000-6zM2 14c0-3 2-4.5 5-4.5M10.5 10.5l4 4M14.5 10.5l-4 4",
  timed_out: "M4 1.5h8M4 14.5h8M5 1.5c0 4 6 9 6 13M11 1.5c0 4-6 9-6 13",
  blocked: "M5 1.5h6L14.5 5v6L11 14.5H5L1.5 11V5zM5 8h6",
  spam: "M8 1.5L15 14H1zM8 6v4M8 12h.01",
  other: "M3 8h.01M8 8h.01M13 8h.01",
};

// icon draws one of the icons above. It only repeats what a text next to it says.
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", drawings[name] ?? drawings.unknown);
  svg.append(path);
  return svg;
}

// Types that mean much the same for the sender share a colour.
const tones = {
  delivered: "good", subscribed: "good", opened: "info", clicked: "info", sent: "info",
  deferred: "warn", unsubscribed: "warn", autoresponded: "warn",
  bounced: "bad", rejected: "bad", failed: "bad", complained: "bad", inbound_failed: "bad", refused: "bad",
  inbound: "mail",
};

// badge shows an event type by an icon, its name and a colour.
export const badge = (type) =>
  element("span", { className: `badge ${tones[type] ?? "plain"}` }, icon(type), element("span", { textContent: type }));

// mark shows a reject reason. Its outline tells it apart from a type.
export const mark = (reason) => element("span", { className: "mark" }, icon(reason), element("span", { textContent: reason }));

export const wasRefused = (summary) => summary.status < 200 || summary.status > 299;

// pill shows the answer to a request.
export function pill(summary) {
  const bad = wasRefused(summary);
  return element("span", { className: `pill ${bad ? "bad" : "good"}` },
    icon(bad ? (isUnrouted(summary) ? "unrouted" : "refused") : "accepted"), element("span", { textContent: summary.status }));
}

export const isUnrouted = (summary) => summary.status === 404 && !summary.name;

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat([], { month: "short", day: "numeric" });

// time is short for today, and has the date for other days.
export function time(value) {
  const t = new Date(value);
  return t.toDateString() === new Date().toDateString() ? clock.format(t) : `${day.format(t)} ${clock.format(t)}`;
}

// moment is a date with a time.
export const moment = (value) => new Date(value).toLocaleString([], { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

export const plural = (n, one, many = one + "s") => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

export const text = (content) => element("pre", { tabIndex: 0, textContent: content });

// announce tells users of screen readers what sighted users see change.
export function announce(message) {
  $("announcer").textContent = message;
}

// notify shows a message for some seconds, and announces it.
let hiding;
export function notify(message, bad = false) {
  const toast = $("toast");
  toast.textContent = message;
  toast.classList.toggle("bad", bad);
  toast.hidden = false;
  announce(message);
  clearTimeout(hiding);
  hiding = setTimeout(() => { toast.hidden = true; }, 5000);
}

// copy puts text on the clipboard. Where the browser has none for this page, as
// under a plain http:// address, it shows the text to copy by hand.
export async function copy(content, what) {
  try {
    await navigator.clipboard.writeText(content);
    notify(`Copied ${what}`);
  } catch {
    $("copy-text").value = content;
    $("copy").showModal();
    $("copy-text").select();
  }
}
