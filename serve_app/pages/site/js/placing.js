// The step "Place": panels, layers, presets, the flat panel and its numbers, and what is wrong with where a print lies.

import { $, make, replace } from "./farm.js";
import { designOf, draft, inHand, intoPreset, ontoPanel, panelsHere, place, presetsHere, put } from "./draft.js";
import { fault } from "./faults.js";
import { heightOf, layerWords, onCloth, PANELS, ways } from "./layers.js";
import { PanelEditor } from "./placement.js";

const SOFT_DPI = 150;
const EDGE_CM = 0.05;
let dpiFloor = 0;
let changed = () => {};
let editor = null;

/** Listen to what is placed; `moved` is called at every change of a place. */
export function beginPlacing(limits, moved) {
  dpiFloor = limits.dpi_floor;
  changed = moved;
  editor = new PanelEditor($("#editor"), (next) => {
    draft.preset = null;
    put(next);
    showPresets();
    showNumbers();
    changed();
  });
  for (const [field, name] of [["x", "x_cm"], ["y", "y_cm"], ["width", "width_cm"], ["rotation", "rotation_deg"]]) {
    $(`#${field}`).addEventListener("change", (event) => {
      const value = event.target.valueAsNumber;
      if (!Number.isFinite(value) || (field === "width" && value < 0.2)) { showNumbers(); return; }
      const before = place();
      const next = { ...before, [name]: value };
      if (field === "width") next.height_cm = value * before.height_cm / before.width_cm;
      editor.tell(next);
    });
  }
}

/** Everything of the step, as the draft has it now. */
export function showPlace() {
  showTabs();
  showLayers();
  showPresets();
  showEditor();
  showNumbers();
  changed();
}

function showTabs() {
  const used = new Set(draft.layers.map((layer) => layer.panel));
  replace($("#panels"), panelsHere().map((name) => make("button", {
    type: "button", class: "tab", role: "tab", id: `tab-${name}`, "aria-selected": String(name === inHand().panel), "aria-controls": "editor",
    disabled: draft.layers.length > 1 && !used.has(name), onclick: () => { ontoPanel(name); showPlace(); $(`#tab-${name}`).focus(); },
  }, PANELS[name])));
}

/** Of several layers: which is in hand, and how each lies. */
function showLayers() {
  const several = draft.layers.length > 1;
  $("#layers").hidden = !several;
  replace($("#layers"), several && draft.layers.map((layer, number) => make("label", { class: "row" },
    make("input", { type: "radio", name: "layer", value: String(number), checked: number === draft.at, onchange: () => { draft.at = number; showPlace(); $(`#layers input[value="${number}"]`).focus(); } }),
    layerWords(layer))), several && make("button", { type: "button", class: "plain", onclick: removeLayer }, "Remove this layer"));
}

function removeLayer() {
  draft.layers.splice(draft.at, 1);
  draft.at = Math.min(draft.at, draft.layers.length - 1);
  showPlace();
  ($("#layers input:checked") ?? $("#x")).focus();
}

function showPresets() {
  const words = (name) => name.replace(/^(chest|back)-/, "").replaceAll("-", " ");
  const here = presetsHere();
  replace($("#presets"), here.map(([name]) => make("label", { class: "chip" },
    make("input", { type: "radio", name: "preset", value: name, checked: name === draft.preset, onchange: () => { intoPreset(name); showPlace(); $(`#presets input[value="${name}"]`).focus(); } }),
    make("span", {}, words(name)))));
  $("#presets").hidden = here.length === 0;
}

/** The panel laid flat, with the layer in hand and those beside it. */
export function showEditor() {
  const layer = inHand();
  const panel = draft.template.panels[layer.panel];
  if (!panel?.outline_cm?.length) {
    replace($("#editor"), make("p", { class: "empty" }, `${draft.template.name} has no such panel.`));
    return;
  }
  const others = draft.layers.filter((one) => one !== layer && one.panel === layer.panel);
  editor.show({
    name: layer.panel, panel, colour: draft.fabric.hex, design: designOf(layer), fit: layer.fit,
    placement: draft.designs.length ? place() : null,
    others: others.map((one) => ({ place: { ...one, height_cm: heightOf(one, designOf(one)) }, design: designOf(one) })),
  });
}

function leaves(area, now) {
  return area && (now.x_cm - now.width_cm / 2 < area.x_cm - EDGE_CM || now.x_cm + now.width_cm / 2 > area.x_cm + area.width_cm + EDGE_CM
    || now.y_cm - now.height_cm / 2 < area.y_cm - EDGE_CM || now.y_cm + now.height_cm / 2 > area.y_cm + area.height_cm + EDGE_CM);
}

function showNumbers() {
  const now = place();
  const layer = inHand();
  const design = designOf(layer);
  const panel = draft.template.panels[layer.panel];
  $("#x").value = now.x_cm.toFixed(1);
  $("#y").value = now.y_cm.toFixed(1);
  $("#width").value = now.width_cm.toFixed(1);
  $("#rotation").value = now.rotation_deg.toFixed(0);
  const dpi = design ? design.width / (now.width_cm / 2.54) : null;
  const cloth = onCloth(panel, layer, design);
  replace($("#readout"),
    make("span", {}, make("b", {}, `${now.width_cm.toFixed(1)} × ${now.height_cm.toFixed(1)} cm`), " print"),
    make("span", {}, make("b", {}, `${now.y_cm.toFixed(1)} cm`), " below the seam"),
    dpi && make("span", { class: dpi < SOFT_DPI ? "warn" : "" }, make("b", {}, `${Math.round(dpi)} DPI`), dpi < SOFT_DPI ? " is low: it will look soft" : " at this size"),
    cloth === "part" ? make("span", { class: "warn" }, "crosses a seam: what lies beyond is cut off")
      : leaves(panel?.print_area, now) && cloth === "all" && make("span", { class: "warn" }, "leaves the print area"),
    ways(layer).map((words) => make("span", {}, words)));
  checkPlace();
}

/** A layer that would show nowhere, or that this garment has no panel for, is no layer. */
function checkPlace() {
  if (!draft.designs.length) { fault("place", null); return; }
  const names = panelsHere();
  const lost = draft.layers.find((layer) => !names.includes(layer.panel));
  const hidden = draft.layers.find((layer) => names.includes(layer.panel) && onCloth(draft.template.panels[layer.panel], layer, designOf(layer)) === "none");
  const [first] = draft.layers;
  const dpi = Math.min(...draft.layers.map((layer) => (designOf(layer) ? designOf(layer).width / (layer.width_cm / 2.54) : Infinity)));
  if (lost) fault("place", `${draft.template.name} has no ${PANELS[lost.panel] ?? lost.panel}.`, "Remove that layer, or choose another garment.");
  else if (hidden) fault("place", `The print lies beside the ${PANELS[hidden.panel].toLowerCase()}: nothing of it would show.`, hidden === first && draft.layers.length === 1 ? "Move it onto the cloth." : "Move that layer onto the cloth, or remove it.");
  else if (dpi < dpiFloor) fault("place", `The print would have ${Math.round(dpi)} DPI; this farm prints from ${dpiFloor} DPI.`, "Print it smaller, or choose a larger design.");
  else fault("place", null);
}
