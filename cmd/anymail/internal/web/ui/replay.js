// Sending requests again: one, perhaps edited, or many.

import { $, element, icon, plural } from "./dom.js";
import { send } from "./api.js";
import { link } from "./state.js";
import { selection } from "./list.js";

let settings = { signed: [] };
export const configure = (values) => { settings = values; };

const lines = (header) => Object.entries(header).flatMap(([name, values]) => values.filter((value) => value !== "(hidden)").map((value) => `${name}: ${value}`)).sort().join("\n");

// fields reads lines of "Name: value".
function fields(content) {
  const header = {};
  for (const line of content.split("\n")) {
    const at = line.indexOf(":");
    if (at > 0) (header[line.slice(0, at).trim()] ??= []).push(line.slice(at + 1).trim());
  }
  return header;
}

// replay is a form that sends a request again.
export function replay(detail) {
  const { summary } = detail, id = summary.id;
  const url = element("input", { type: "url", id: "replay-url", placeholder: "this listener", "aria-describedby": "replay-help" });
  const signs = settings.signed.includes(summary.esp);
  const sign = element("input", { type: "checkbox", id: "replay-sign", disabled: !signs });
  const header = element("textarea", { id: "replay-header", rows: 6, spellcheck: false, value: lines(detail.header) });
  const body = element("textarea", { id: "replay-body", rows: 12, spellcheck: false, value: detail.body ?? "" });
  const original = { header: header.value, body: body.value }; // a textarea changes line ends
  const outcome = element("output", { className: "outcome" });
  const edited = () => header.value !== original.header || body.value !== original.body;
  const hint = element("p", { className: "note", hidden: true, textContent: "The signature is of the request before the edit. Sign it anew, or it is refused." });
  const check = () => { hint.hidden = !edited() || sign.checked || !signs; };
  for (const field of [header, body]) {
    field.addEventListener("input", () => { if (signs && edited() && !sign.dataset.chosen) sign.checked = true; check(); });
  }
  sign.addEventListener("change", () => { sign.dataset.chosen = "1"; check(); });
  const signed = typeof detail.signed_body === "string" ? element("button", { type: "button", textContent: "Insert the body that was signed", onclick: () => { body.value = detail.signed_body; check(); } }) : null;
  const form = element("form", {
    className: "replay",
    onsubmit: async (e) => {
      e.preventDefault();
      const ask = { sign: sign.checked };
      if (url.value.trim()) ask.url = url.value.trim();
      if (header.value !== original.header) ask.header = fields(header.value);
      if (body.value !== original.body) ask.body = body.value;
      await run(outcome, () => send("POST", `requests/${id}/replay`, ask), answered);
    },
  },
    element("label", {}, "Send to ", url),
    element("p", { id: "replay-help", className: "note", textContent: "Leave it empty to send to this listener, or enter the URL of your application." }),
    element("label", { className: "check" }, sign, " Sign anew with the listener’s key"),
    signs ? null : element("p", { className: "note", textContent: "The ESP does not sign its requests, or the listener has no key to sign with (see --set and --sign-key)." }),
    element("details", { className: "edit" }, element("summary", { textContent: "Edit the request" }),
      element("label", {}, "Headers, one a line", header),
      detail.body === undefined ? element("p", { className: "note", textContent: "The body is not text, and cannot be edited here." }) : element("label", {}, "Body", body), signed, hint),
    element("div", { className: "buttons" }, element("button", { type: "submit", className: "primary", textContent: "Send" })),
    outcome);
  const forwards = detail.forwards ?? [];
  return [form, forwards.length ? element("h3", { textContent: "Forwarded" }) : null, forwards.length ? element("ul", { className: "results" }, forwards.map((f) =>
    element("li", {}, result(f), ` ${f.url}${f.signed ? ", signed anew" : ""}`))) : null];
}

// run shows what becomes of a call.
export async function run(outcome, call, show) {
  outcome.replaceChildren("Sending…");
  try {
    outcome.replaceChildren(...[show(await call())].flat());
  } catch (error) {
    outcome.replaceChildren(element("span", { className: "bad", textContent: error.message }));
  }
}

function result(r) {
  const bad = r.error || r.status < 200 || r.status > 299;
  return element("span", { className: bad ? "bad" : "good" }, icon(bad ? "refused" : "accepted"), " ",
    r.error ? `Failed: ${r.error}` : `Answered ${r.status}${r.milliseconds === undefined ? "" : ` in ${r.milliseconds} ms`}`);
}

// answered shows the answer to a request, with a link to it if it is in the list.
export function answered(r) {
  const parts = [result(r)];
  if (r.id) parts.push(" ", element("a", { href: link({ request: String(r.id), event: "0", tab: "", part: "" }), textContent: "Show it" }));
  if (r.body) parts.push(element("pre", { tabIndex: 0, textContent: r.body }));
  return parts;
}

// startMany prepares the dialog that sends the selected requests again.
export function startMany() {
  const dialog = $("many"), outcome = $("many-outcome");
  $("replay-many").addEventListener("click", () => {
    outcome.replaceChildren();
    $("many-title").textContent = `Send ${plural(selection.size, "request")} again`;
    dialog.showModal();
  });
  dialog.querySelector("form").addEventListener("submit", (e) => {
    e.preventDefault();
    const ids = [...selection].sort((a, b) => a - b);
    const ask = { ids, sign: $("many-sign").checked };
    if ($("many-url").value.trim()) ask.url = $("many-url").value.trim();
    run(outcome, () => send("POST", "replay", ask), ({ results }) => {
      const failed = results.filter((r) => r.error || r.status < 200 || r.status > 299).length;
      return [element("p", { textContent: `${results.length - failed} accepted, ${failed} refused` }),
        element("ul", { className: "results" }, results.map((r) => element("li", {}, `Request ${r.id}: `, result(r))))];
    });
  });
}
