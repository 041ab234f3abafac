// What is wrong, said beside where it was done: by the form itself as it is filled, and by the farm when it refuses.

import { $, make, problemNotice, replace } from "./farm.js";

const found = new Map(); // what is wrong, by the part of the form; nothing is sent while there is any
let heard = () => {};

/** What to do whenever there is a fault more or less. */
export function onFault(todo) {
  heard = todo;
}

export function firstFault() {
  return found.values().next().value ?? null;
}

/** What is wrong with that part; `null` where nothing is. */
export function faultOf(part) {
  return found.get(part) ?? null;
}

/** Says what is wrong with a part of the form, or with `null` that nothing is. */
export function fault(part, message, hint = "") {
  if (message) found.set(part, message);
  else found.delete(part);
  const slot = $(`#${part}-said`);
  const words = message ? `${message} ${hint}`.trim() : "";
  // Said once: a screen reader would say it again at every step of a drag.
  if (slot.textContent !== words) replace(slot, message && notice(message, hint));
  heard();
}

export function notice(message, hint = "") {
  return make("div", { class: "notice bad", role: "alert" }, make("strong", {}, message), ` ${hint}`);
}

const PARTS = {
  design: "design", designs: "design", upload_id: "design", design_id: "design", placements: "place", preset: "place",
  fabric_color: "garment", template: "garment", product_id: "product", engine: "engine",
};

/** What the farm refused, beside the part that it is about. */
export function refused(problem) {
  const [, member] = (problem.errors[0]?.pointer ?? "").split("/");
  const part = problem.code.startsWith("design_") || problem.code === "bad_design" ? "design"
    : ["low_resolution", "print_off_cloth"].includes(problem.code) ? "place"
      : member ? PARTS[member] ?? "output" : null;
  replace($(part ? `#${part}-said` : "#said"), problemNotice(problem));
  ($(part ? `#step-${part}` : "#said") ?? $("#said")).scrollIntoView({ block: "nearest" });
}
