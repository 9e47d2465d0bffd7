// Why a request was refused: the report that "anymail inspect" makes.

import { copy, element, icon, text } from "./dom.js";
import { answered, run } from "./replay.js";
import { send } from "./api.js";

const results = { ok: ["accepted", "good"], failed: ["refused", "bad"], skipped: ["ping", "plain"], undecided: ["unknown", "warn"] };
const longContent = 2000;

export function report(detail) {
  const { summary } = detail;
  if (!detail.report) return [lead(summary.error || `answered ${summary.status}`)];
  const checks = detail.report.checks ?? [];
  const failed = checks.filter((c) => c.result === "failed" || c.result === "undecided");
  const hints = failed.flatMap((c) => c.hints ?? []);
  return [
    lead(failed.length ? named(failed[0]) : summary.error),
    hints.length ? element("section", { className: "hints" }, element("h3", { textContent: "Probable cause, and what to change" }),
      element("ul", {}, hints.map((hint) => element("li", { textContent: hint }))), repair(detail)) : null,
    element("h3", { textContent: "Checks" }),
    element("ol", { className: "checks" }, checks.map(check)),
    ...(detail.report.request?.notes?.length ? [element("h3", { textContent: "Notes" }), element("ul", {}, detail.report.request.notes.map((note) => element("li", { textContent: note })))] : []),
  ];
}

// repair says what to change if the server could restore the body that the ESP signed,
// and sends the request with it.
function repair(detail) {
  if (typeof detail.signed_body !== "string") return null;
  const outcome = element("output", { className: "outcome" });
  const ask = { body: detail.signed_body };
  return [
    element("p", { textContent: "The signature is of the exact bytes. Find the middleware, proxy or queue that reads the body and writes it again, and make it pass on the bytes as they arrived." }),
    element("p", { textContent: "To see that nothing else is wrong, send the request again with the body that the ESP signed:" }),
    element("p", {}, element("button", { type: "button", className: "primary", id: "repair", textContent: "Send again with the signed body",
      onclick: () => run(outcome, () => send("POST", `requests/${detail.summary.id}/replay`, ask), answered) })),
    outcome,
    element("details", {}, element("summary", { textContent: "Compare the bodies" }),
      element("div", { className: "pair" },
        element("section", {}, element("h4", { textContent: "As it arrived" }), text(detail.body ?? "")),
        element("section", {}, element("h4", { textContent: "As the ESP signed it" }), text(detail.signed_body)))),
  ];
}

// named is the reason of a check, with its name unless the reason says it.
const named = ({ name, reason }) => reason.includes(name) ? reason : `${name}: ${reason}`;

const lead = (reason) => element("p", { className: "lead" }, icon("refused"), element("span", {}, element("strong", { textContent: "Refused: " }), reason ?? ""));

function check(c) {
  const [name, tone] = results[c.result] ?? results.undecided;
  return element("li", {},
    element("p", {}, element("span", { className: `badge ${tone}` }, icon(name), element("span", { textContent: c.result })), " ",
      element("strong", { textContent: c.name }), " ", c.reason ?? ""),
    (c.comparisons ?? []).map(comparison));
}

function comparison(c) {
  const lines = [];
  const line = (name, value, tone = "") => lines.push(element("dt", { textContent: name }), element("dd", { className: tone }, value));
  const code = (value) => element("code", { textContent: value });
  for (const offered of c.offered ?? []) line(c.place ? `Received in ${c.place}` : "Received", code(offered));
  if (c.place && !c.offered?.length) line("Received", `nothing in ${c.place}`);
  for (const key of c.keys ?? []) {
    const which = `${key.kind}, ${c.secret ? "secret" : "key"} ${key.number}`.replace("secret, secret", "secret");
    const verdict = key.valid ? " matches" : " does not match", tone = key.valid ? "good" : "bad";
    if (key.computed) line(`${c.secret ? "Configured" : "Expected"} (${which})`, [code(key.computed), verdict], tone);
    if (key.digest) line(`Digest of the content (${which})`, code(key.digest));
    if (key.signed) line(`Digest that was signed (${which})`, [code(key.signed), verdict], tone);
    if (!key.computed && !key.digest && !key.signed) line(which, verdict.trim(), tone);
  }
  if (c.signed_at) line("Signed at", c.signed_at);
  if (c.error) line("Error", c.error, "bad");
  return element("div", { className: "comparison" }, element("dl", {}, lines), c.signed ? element("details", {},
    element("summary", { textContent: `The content that has to be signed, ${c.signed_bytes ?? c.signed.length} bytes` }),
    text(c.signed.length > longContent ? c.signed.slice(0, longContent) + "…" : c.signed)) : null);
}

// unrouted explains a 404: which URL would have been right.
export function unrouted(detail) {
  const { summary } = detail;
  return [
    lead(`No adapter has the path ${summary.path}.`),
    detail.right_url ? element("section", { className: "hints" },
      element("h3", { textContent: "The right URL" }),
      element("p", {}, element("code", { className: "url", id: "right-url", textContent: detail.right_url }), " ",
        element("button", { type: "button", textContent: "Copy", onclick: () => copy(detail.right_url, "the URL") })),
      element("p", { textContent: "Enter it at the ESP, or in what forwards its webhooks." }))
      : element("p", { textContent: "No ESP's URL resembles this one." }),
  ];
}
