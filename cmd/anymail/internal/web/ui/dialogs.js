// The dialogs and the menu: trigger events, forward requests, choose the answer,
// export, import and delete.

import { $, announce, element, notify, plural } from "./dom.js";
import { clear, getJSON, send, upload } from "./api.js";
import { answered } from "./replay.js";
import { change } from "./state.js";

// start prepares all dialogs. They call reload after an import and a deletion.
export async function start(reload) {
  for (const button of document.querySelectorAll("[data-opens]")) {
    button.addEventListener("click", () => {
      $("menu").hidePopover();
      $(button.dataset.opens).showModal();
    });
  }
  for (const button of document.querySelectorAll("dialog .close")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  startForward();
  startAnswer();
  startData(reload);
  await startTrigger();
}

// submit calls handle when a form is sent, and shows its error in the form.
function submit(dialog, handle) {
  const outcome = dialog.querySelector("output");
  dialog.querySelector("form").addEventListener("submit", async (e) => {
    e.preventDefault();
    outcome.replaceChildren();
    try {
      await handle(outcome, e);
    } catch (error) {
      outcome.replaceChildren(element("span", { className: "bad", textContent: error.message }));
    }
  });
}

// --- trigger ---

async function startTrigger() {
  const esp = $("trigger-esp"), sample = $("trigger-sample");
  let esps = [];
  const find = () => esps.find((e) => e.name === esp.value);
  function list() {
    sample.replaceChildren(...(find()?.samples ?? []).map((s) => element("option", { value: s.name, textContent: describe(s) })));
    fit();
  }
  function fit() {
    const chosen = find()?.samples.find((s) => s.name === sample.value);
    $("trigger-eml").closest("label").hidden = !chosen?.takes_mime;
  }
  esp.addEventListener("change", list);
  sample.addEventListener("change", fit);
  submit($("trigger"), async (outcome) => {
    const ask = { esp: esp.value, sample: sample.value };
    for (const name of ["recipient", "subject", "tag", "message_id"]) {
      const value = $(`trigger-${name}`).value.trim();
      if (value) ask[name] = value;
    }
    const metadata = pairs($("trigger-metadata").value);
    if (Object.keys(metadata).length) ask.metadata = metadata;
    if (!$("trigger-eml").closest("label").hidden && $("trigger-eml").value.trim()) ask.eml = $("trigger-eml").value;
    const answer = await send("POST", "trigger", ask);
    outcome.replaceChildren(...answered(answer));
    outcome.querySelector("a")?.addEventListener("click", (e) => {
      e.preventDefault();
      $("trigger").close();
      change({ request: String(answer.id), event: "0", tab: "", part: "" });
    });
  });
  try {
    esps = await getJSON("esps");
  } catch (error) {
    notify(`The ESPs could not be loaded: ${error.message}`, true);
    return;
  }
  esp.replaceChildren(...esps.filter((e) => e.samples.length).map((e) => element("option", { value: e.name, textContent: e.title })));
  list();
}

function describe(sample) {
  const types = sample.types?.length ? [...new Set(sample.types)].join(", ") : "ping";
  return `${sample.name}: ${types}${sample.reason ? ` (${sample.reason})` : ""}`;
}

// pairs reads "name=value", one a line.
function pairs(content) {
  const found = {};
  for (const line of content.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) found[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return found;
}

// --- forward ---

const forwarding = { url: "", sign: false };

async function startForward() {
  const show = (values) => {
    Object.assign(forwarding, values);
    $("forward-url").value = forwarding.url;
    $("forward-sign").checked = forwarding.sign;
    $("forwarding").hidden = !forwarding.url;
    $("forwarding-text").textContent = `Forwarding to ${forwarding.url}${forwarding.sign ? ", signed anew" : ""}`;
  };
  const put = async (values) => show(await send("PUT", "forward", values));
  submit($("forward"), async () => {
    const url = $("forward-url").value.trim();
    await put({ url, sign: $("forward-sign").checked });
    $("forward-url").value = url; // with its password, which the answer leaves out
    $("forward").close();
    announce(forwarding.url ? $("forwarding-text").textContent : "Forwarding is off");
  });
  $("forward-stop").addEventListener("click", () => put({ url: "", sign: false }).catch(complain));
  await getJSON("forward").then(show, () => {});
}

const complain = (error) => notify(error.message, true);

// --- answer ---

async function startAnswer() {
  const show = (a) => {
    $("answering").hidden = !a.status && (!a.delay || a.delay === "0s");
    const delay = a.delay && a.delay !== "0s" ? `after ${a.delay}` : "";
    const requests = a.times ? `the next ${plural(a.times, "request")}` : "all requests";
    $("answering-text").textContent = `Answering ${[a.status || "", requests, a.esp && `of ${a.esp}`, delay].filter(Boolean).join(" ")}`.replace(/^Answering (\d+) /, "Answering $1 to ");
    $("answer-status").value = a.status || "";
    $("answer-delay").value = a.delay && a.delay !== "0s" ? a.delay : "";
    $("answer-times").value = a.times || "";
    $("answer-esp").value = a.esp || "";
  };
  const put = async (values) => show(await send("PUT", "answer", values));
  submit($("answer"), async () => {
    await put({ status: Number($("answer-status").value) || 0, delay: duration($("answer-delay").value), times: Number($("answer-times").value) || 0, esp: $("answer-esp").value.trim() });
    $("answer").close();
    announce($("answering").hidden ? "Answers are the real ones" : $("answering-text").textContent);
  });
  refreshAnswer = () => getJSON("answer").then(show, () => {});
  $("answer-stop").addEventListener("click", () => put({ status: 0, delay: "0s", times: 0, esp: "" }).catch(complain));
  await refreshAnswer();
}

// refreshAnswer shows how many answers are left.
export let refreshAnswer = () => {};

// duration adds the unit that most people leave out.
const duration = (value) => /^\d+(\.\d+)?$/.test(value.trim()) ? value.trim() + "s" : value.trim() || "0s";

// --- export, import, clear ---

function startData(reload) {
  $("import").addEventListener("click", () => { $("menu").hidePopover(); $("import-file").click(); });
  $("import-file").addEventListener("change", async (e) => {
    const [file] = e.target.files;
    e.target.value = "";
    if (!file) return;
    try {
      const { imported } = await (await upload("import", file)).json();
      notify(`Imported ${plural(imported, "request")} from ${file.name}`);
      reload();
    } catch (error) {
      notify(`${file.name}: ${error.message}`, true);
    }
  });
  submit($("clear"), async () => {
    await clear();
    $("clear").close();
    change({ request: "", event: "", tab: "", part: "" });
    notify("Deleted all requests");
    reload();
  });
}
