// The chart of accepted and refused requests, and the counts by type and ESP. All
// of them filter the list.

import { $, badge, element, plural, time } from "./dom.js";
import { getJSON } from "./api.js";
import { change, filters, state } from "./state.js";

const bars = $("bars");

// load asks for the counts. A bar is wide enough to be clicked on the smallest
// screen, so there are fewer of them on it.
let running = null;
export async function load() {
  running?.abort();
  const mine = running = new AbortController();
  const options = { signal: mine.signal };
  const buckets = Math.max(10, Math.min(60, Math.floor(bars.clientWidth / 24)));
  try {
    const chosen = filters();
    const { type, esp, ...others } = chosen;
    const stats = await getJSON("stats", { ...chosen, buckets }, options);
    // The counts show what else there is to choose.
    const choices = type || esp ? await getJSON("stats", { ...others, buckets: 1 }, options) : stats;
    draw(stats);
    counts($("types"), "type", choices.types);
    counts($("esps"), "esp", choices.esps);
    offer("account", choices.accounts);
    offer("reason", choices.reasons);
  } catch (error) {
    if (error.name !== "AbortError") $("chart-text").textContent = `The chart could not be loaded: ${error.message}`;
  }
}

// loadSoon is for every request that arrives.
let waiting = false;
export function loadSoon() {
  if (waiting) return;
  waiting = true;
  setTimeout(() => { waiting = false; load(); }, 500);
}

function draw({ from, to, buckets }) {
  const start = Date.parse(from), step = (Date.parse(to) - start) / buckets.length || 1;
  const most = Math.max(1, ...buckets.map((b) => b.accepted + b.refused));
  const at = (i) => new Date(Math.round(start + i * step));
  const focused = bars.contains(document.activeElement) ? document.activeElement.dataset.bar : null;
  bars.replaceChildren(...buckets.map(({ accepted, refused }, i) => {
    const good = element("span", { className: "accepted" }), bad = element("span", { className: "refused" });
    good.style.height = `${100 * accepted / most}%`;
    bad.style.height = `${100 * refused / most}%`;
    const bar = element("button", {
      type: "button", disabled: accepted + refused === 0, tabIndex: -1,
      title: `${time(at(i))} to ${time(at(i + 1))}: ${accepted} accepted, ${refused} refused`,
      "aria-label": `${time(at(i))} to ${time(at(i + 1))}: ${accepted} accepted, ${refused} refused`,
      onclick: (e) => {
        const extend = e.shiftKey && state.from && Date.parse(state.from) < at(i);
        change({ from: extend ? state.from : at(i).toISOString(), to: at(i + 1).toISOString() });
      },
    }, refused > 0 && bad, accepted > 0 && good);
    bar.dataset.bar = i;
    return bar;
  }));
  const live = [...bars.querySelectorAll("button:not(:disabled)")];
  if (live.length) live.at(-1).tabIndex = 0;
  if (focused) (bars.querySelector(`[data-bar="${focused}"]:not(:disabled)`) ?? live.at(-1))?.focus();
  const sum = (name) => buckets.reduce((n, b) => n + b[name], 0);
  $("chart-from").textContent = buckets.length ? time(at(0)) : "";
  $("chart-to").textContent = buckets.length ? time(at(buckets.length)) : "";
  $("chart-text").textContent = `${sum("accepted").toLocaleString("en")} accepted, ${sum("refused").toLocaleString("en")} refused`;
  bars.setAttribute("aria-label", `Requests by time: ${plural(buckets.length, "bar")}. Arrow keys move, Enter filters.`);
}

bars.addEventListener("keydown", (e) => {
  const live = [...bars.querySelectorAll("button:not(:disabled)")], at = live.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: live.length - 1 }[e.key];
  if (to === undefined || !live[to]) return;
  e.preventDefault();
  live[at].tabIndex = -1;
  live[to].tabIndex = 0;
  live[to].focus();
});

// counts shows a button for each value, the most frequent first.
function counts(place, name, values) {
  const entries = Object.entries(values).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  if (state[name] && !(state[name] in values)) entries.push([state[name], 0]);
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.value : null;
  place.replaceChildren(...entries.map(([value, n]) => {
    const button = element("button", { type: "button", className: "count", "aria-pressed": String(state[name] === value), onclick: () => change({ [name]: state[name] === value ? "" : value }) },
      name === "type" ? badge(value) : element("span", { textContent: value }), " ", element("b", { textContent: n.toLocaleString("en") }));
    button.dataset.value = value;
    return button;
  }));
  if (focused) place.querySelector(`[data-value="${CSS.escape(focused)}"]`)?.focus();
  place.parentElement.hidden = entries.length === 0;
  offer(name, values);
}

// offer fills the list of a filter with the values that there are.
export function offer(name, values = {}) {
  const select = $(`filter-${name}`);
  const options = new Set([...select.options].map((o) => o.value).filter(Boolean));
  for (const value of Object.keys(values)) if (value) options.add(value);
  if (state[name]) options.add(state[name]);
  if (options.size + 1 !== select.options.length) {
    select.replaceChildren(element("option", { value: "", textContent: "all" }), ...[...options].sort().map((value) => element("option", { value, textContent: value })));
  }
  select.value = state[name];
}
