// The keys of the page. Those of one letter can be turned off, since they are in
// the way of some who use speech or a switch.

import { $ } from "./dom.js";

const setting = "anymail.keys";
const enabled = () => localStorage.getItem(setting) !== "off";

// start calls the actions by their keys.
export function start({ step, open, back, pick }) {
  $("keys-on").checked = enabled();
  $("keys-on").addEventListener("change", (e) => localStorage.setItem(setting, e.target.checked ? "on" : "off"));
  const keys = {
    j: () => step(1), k: () => step(-1), x: pick, o: open,
    "/": () => { $("search").focus(); $("search").select(); },
    "?": () => $("help").showModal(),
    t: () => $("trigger").showModal(),
  };
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || document.querySelector("dialog[open], :popover-open")) return;
    const target = e.target;
    if (e.key === "Escape") { escape(target, back); return; }
    if (target.matches("input:not([type=checkbox]), textarea, select")) return;
    if ((e.key === "ArrowDown" || e.key === "ArrowUp") && target.closest("#list")) {
      e.preventDefault();
      step(e.key === "ArrowDown" ? 1 : -1);
      return;
    }
    if (e.key === "Enter" && target.matches("body, #detail-title")) open();
    if (!enabled() || !keys[e.key]) return;
    e.preventDefault();
    keys[e.key]();
  });
}

// escape leaves the innermost of what is open.
function escape(target, back) {
  if (target.id === "search") {
    if (target.value) {
      target.value = "";
      target.dispatchEvent(new Event("input"));
    } else {
      target.blur();
    }
    return;
  }
  if (document.body.classList.contains("has-detail")) back();
}
