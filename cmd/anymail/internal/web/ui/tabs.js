import { element } from "./dom.js";

// tabs returns a list of tabs and its panel. Each item has an id, a title and a
// function that renders its panel, which runs when the tab is first chosen. name
// keeps the ids of several lists of tabs apart. onSelect gets the id of a tab that
// the user chose.
export function tabs({ name, label, items, selected, onSelect }) {
  let chosen = items.find((item) => item.id === selected) ?? items[0];
  const panel = element("div", { className: "panel", role: "tabpanel", id: `${name}-panel`, tabIndex: 0 });
  const buttons = items.map((item) => element("button", {
    type: "button", role: "tab", id: `${name}-${item.id}`, "aria-controls": `${name}-panel`, textContent: item.title,
    onclick: () => { show(item); onSelect(item.id); },
  }));
  const list = element("div", { className: "tabs", role: "tablist", "aria-label": label }, buttons);
  const contents = new Map();

  function show(item) {
    chosen = item;
    items.forEach((other, i) => {
      buttons[i].setAttribute("aria-selected", String(other === item));
      buttons[i].tabIndex = other === item ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", `${name}-${item.id}`);
    if (!contents.has(item)) contents.set(item, [item.render()].flat().filter(Boolean));
    panel.replaceChildren(...contents.get(item));
    requestAnimationFrame(center); // when it is in the document
  }

  // center scrolls the chosen tab into view, where there is no room for all of them.
  function center() {
    const button = buttons[items.indexOf(chosen)];
    list.scrollLeft = button.offsetLeft - list.offsetLeft - (list.clientWidth - button.offsetWidth) / 2;
  }

  list.addEventListener("keydown", (e) => {
    const at = items.indexOf(chosen), last = items.length - 1;
    const to = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    buttons[to].focus();
    buttons[to].click();
  });
  show(chosen);
  return element("div", { className: "tabbed" }, list, panel);
}
