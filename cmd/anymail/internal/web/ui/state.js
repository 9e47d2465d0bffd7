// What the page shows is in its URL: the search, the filters, the open request.
// So a reload, the back button and a link to one event work.

export const filterNames = ["q", "esp", "account", "type", "reason", "answer", "from", "to"];
const names = [...filterNames, "request", "event", "tab", "part"];

export const state = read();
const listeners = [];

function read() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(names.map((name) => [name, query.get(name) ?? ""]));
}

// link returns the URL of this page with some values changed.
export function link(values) {
  const query = new URLSearchParams();
  for (const name of names) {
    const value = values[name] ?? state[name];
    if (value !== "") query.set(name, value);
  }
  return `${location.pathname}${query.size ? "?" + query : ""}`;
}

// onChange calls listener with the set of names whose values have changed.
export function onChange(listener) {
  listeners.push(listener);
}

// change sets values. The back button returns to what was before, unless the
// change replaces it, as the letters of one search do.
export function change(values, { replace = false } = {}) {
  const url = link(values);
  if (url === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  follow();
}

function follow() {
  const next = read();
  const changed = new Set(names.filter((name) => next[name] !== state[name]));
  Object.assign(state, next);
  for (const listener of listeners) listener(changed);
}

addEventListener("popstate", follow);

// filters returns the filters as the API knows them.
export const filters = () => Object.fromEntries(filterNames.filter((name) => state[name]).map((name) => [name, state[name]]));

export const isFiltered = () => filterNames.some((name) => state[name] !== "");
