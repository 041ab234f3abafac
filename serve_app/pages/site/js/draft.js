// What is being asked for, as far as the form's own fields do not hold it: designs, layers, garment, colour.

import { heightOf, layerOf, PANELS } from "./layers.js";
import { fitted } from "./placement.js";

const GEOMETRY = ["x_cm", "y_cm", "width_cm", "height_cm", "rotation_deg"];

export const draft = {
  designs: [], // {file, url, width, height}; empty ones where the job `again` has them at an address
  again: null, // the job whose designs are used once more
  layers: [], at: 0, preset: "chest-large", // a preset is a name for the place of a single layer
  beside: { members: {}, words: [] }, // of a job that is changed: what it asked for and no field shows
  template: null, fabric: { name: "white", hex: "#ffffff" },
};

export function inHand() {
  return draft.layers[draft.at];
}

export function designOf(layer) {
  const design = draft.designs[layer.design];
  return design?.width ? design : null;
}

/** The layer in hand as the editor has it, its height told. */
export function place() {
  const layer = inHand();
  return { ...Object.fromEntries(GEOMETRY.map((name) => [name, layer[name]])), height_cm: heightOf(layer, designOf(layer)) };
}

export function put(next) {
  const layer = inHand();
  // Where the design decides about the height, it goes on to.
  const free = layer.height_cm === null || layer.height_cm === undefined;
  Object.assign(layer, next, free && { height_cm: null });
}

export function presetsHere() {
  return draft.layers.length > 1 ? [] : Object.entries(draft.template.preset_boxes).filter(([, box]) => box.panel === inHand()?.panel);
}

export function panelsHere() {
  return Object.keys(PANELS).filter((name) => draft.template.panels[name]?.outline_cm?.length);
}

/** Take the layer of that panel into the hand; of a single layer, put it there. */
export function ontoPanel(name) {
  if (draft.layers.length > 1) {
    draft.at = draft.layers.findIndex((layer) => layer.panel === name);
    return;
  }
  draft.layers = [layerOf(name, { x_cm: 0, y_cm: 0, width_cm: 8, height_cm: null, rotation_deg: 0 })];
  draft.at = 0;
  const [first] = presetsHere().sort(([a], [b]) => Number(b === "chest-large") - Number(a === "chest-large"));
  if (first) {
    intoPreset(first[0]);
    return;
  }
  const { bounds } = draft.template.panels[name];
  draft.preset = null;
  put({ y_cm: (bounds.y_min_cm + bounds.y_max_cm) / 2, width_cm: Math.min(8, (bounds.x_max_cm - bounds.x_min_cm) / 3) });
}

export function intoPreset(name) {
  const box = draft.template.preset_boxes[name];
  draft.preset = name;
  draft.at = 0;
  draft.layers = [layerOf(box.panel, fitted(box, draft.designs[0]?.width ? draft.designs[0] : { width: box.width_cm, height: box.height_cm }))];
}

/** The garment, with the layers on it as far as it has room for them. */
export function wear(template) {
  draft.template = template;
  if (draft.layers.length > 1) return;
  const panel = inHand()?.panel;
  if (draft.preset && template.preset_boxes[draft.preset] && panel) intoPreset(draft.preset);
  else ontoPanel(panelsHere().includes(panel) ? panel : panelsHere()[0]);
}

/** Where the design is to be, as a request says it. */
export function placed() {
  return draft.preset ? { preset: draft.preset } : { placements: draft.layers.map((layer) => ({ ...layer })) };
}
