// JSON, shown as it is written: JSON.parse would round large numbers, sort members
// with numeric names and drop duplicates.

import { element } from "./dom.js";

const token = /\s*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y;
const maxDepth = 200;

// parse returns a tree of nodes {kind, text, entries}, or null if content is not
// JSON. entries are pairs of a member's name, or an element's number, and a node.
export function parse(content) {
  let at = 0;
  function next() {
    token.lastIndex = at;
    const found = token.exec(content);
    if (!found) throw new SyntaxError("not JSON");
    at = token.lastIndex;
    return { mark: found[1], string: found[2], literal: found[3] };
  }
  function value(t, depth) {
    if (depth > maxDepth) throw new SyntaxError("too deep");
    if (t.string) return { kind: "string", text: t.string };
    if (t.literal) return { kind: /^[tfn]/.test(t.literal) ? "word" : "number", text: t.literal };
    if (t.mark !== "{" && t.mark !== "[") throw new SyntaxError("not JSON");
    const isObject = t.mark === "{", end = isObject ? "}" : "]", entries = [];
    t = next();
    while (t.mark !== end) {
      let name = entries.length;
      if (isObject) {
        if (!t.string || next().mark !== ":") throw new SyntaxError("not JSON");
        name = JSON.parse(t.string);
        t = next();
      }
      entries.push([name, value(t, depth + 1)]);
      t = next();
      if (t.mark === end) break;
      if (t.mark !== ",") throw new SyntaxError("not JSON");
      t = next();
      if (t.mark === end) throw new SyntaxError("not JSON");
    }
    return { kind: isObject ? "object" : "array", entries };
  }
  try {
    const node = value(next(), 0);
    return content.slice(at).trim() === "" ? node : null;
  } catch {
    return null;
  }
}

// plain returns JSON without the escapes of Go's encoder that no one needs to read.
export const plain = (content) => content.replace(/\\(?:u00(3c|3e|26)|.)/g, (escape, code) => code ? String.fromCharCode(parseInt(code, 16)) : escape);

// member returns a member of an object, or an element of an array.
export const member = (node, name) => node?.entries?.find(([key]) => key === name)?.[1];

// without returns an object without a member.
export const without = (node, name) => ({ ...node, entries: node.entries.filter(([key]) => key !== name) });

// indent writes a tree as text.
export function indent(node, margin = "") {
  if (!node.entries) return node.text;
  const [open, close] = node.kind === "object" ? "{}" : "[]";
  if (node.entries.length === 0) return open + close;
  const inner = margin + "  ";
  const lines = node.entries.map(([name, child]) => inner + (node.kind === "object" ? JSON.stringify(name) + ": " : "") + indent(child, inner));
  return `${open}\n${lines.join(",\n")}\n${margin}${close}`;
}

const longText = 1000;
const manyEntries = 200;

// tree shows a node with parts that fold. A folded part is made when it opens, so
// a large document costs only what is seen of it.
export function tree(node) {
  return element("div", { className: "json", tabIndex: 0, role: "group", "aria-label": "JSON" }, part(null, node, 0));
}

function part(name, node, depth) {
  const label = name === null ? [] : [element("span", { className: "name", textContent: typeof name === "string" ? JSON.stringify(name) : name }), ": "];
  if (!node.entries) return element("div", { className: "leaf" }, label, scalar(node));
  const [open, close] = node.kind === "object" ? "{}" : "[]";
  if (node.entries.length === 0) return element("div", { className: "leaf" }, label, open + close);
  const children = element("div", { className: "children" });
  const what = node.kind === "object" ? "member" : "element";
  const details = element("details", {},
    element("summary", {}, label, open, element("span", { className: "size", textContent: ` ${node.entries.length} ${what}${node.entries.length === 1 ? "" : "s"} ${close}` })),
    children, element("div", { className: "close", textContent: close }));
  let made = 0;
  const make = () => {
    const end = Math.min(made + manyEntries, node.entries.length);
    children.append(...node.entries.slice(made, end).map(([key, child]) => part(key, child, depth + 1)));
    made = end;
    if (made === node.entries.length) return;
    const rest = element("button", { type: "button", className: "quiet", textContent: `Show ${Math.min(manyEntries, node.entries.length - made)} more`, onclick: () => { rest.remove(); make(); } });
    children.append(rest);
  };
  details.addEventListener("toggle", () => { if (details.open && made === 0) make(); });
  if (depth < 2 || node.entries.length <= 4) {
    make();
    details.open = true;
  }
  return details;
}

function scalar(node) {
  const shown = element("span", { className: node.kind, textContent: node.text });
  if (node.text.length <= longText) return shown;
  shown.textContent = node.text.slice(0, longText) + "…";
  const all = element("button", { type: "button", className: "quiet", textContent: `Show all ${node.text.length} characters`, onclick: () => { shown.textContent = node.text; all.remove(); } });
  return element("span", {}, shown, " ", all);
}

// foldAll opens or folds every part of the trees within an element that was made.
export function foldAll(root, open) {
  for (const details of root.querySelectorAll(".json details")) {
    const isTop = details.parentElement.classList.contains("json");
    details.open = open || isTop;
  }
}
