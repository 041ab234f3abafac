// Fast or exact: who makes the pictures, and what each would take and cost, as the farm foresees it.

import { $, api, duration, money, VIEWS } from "./farm.js";
import { withDesigns } from "./designs.js";
import { draft } from "./draft.js";
import { firstFault } from "./faults.js";
import { Latest } from "./latest.js";

const LATER_MS = 600;
const ENGINES = { fast: "auto", exact: "cycles" };
let request = () => ({});
let later = 0;
const ahead = new Latest(look);

/** `wanted` answers the request as it is now; `changed` is called when the engine is another. */
export function beginEngines(wanted, changed) {
  request = wanted;
  $("#engines").addEventListener("change", () => { showQuality(); changed(); });
  showQuality();
}

export function engine() {
  return $("#engines input:checked").value;
}

/** The engine that a job asked for; one that is relit or refused stays so. */
export function useEngine(name) {
  $("#fast").value = name === ENGINES.exact ? ENGINES.fast : name;
  $(name === ENGINES.exact ? "#exact" : "#fast").checked = true;
  showQuality();
}

/** Paths per pixel are what is traced; what is relit has none. */
function showQuality() {
  $("#quality-row").hidden = engine() !== ENGINES.exact;
}

/** Something of what is asked for has changed: its time and cost are told anew, when it has come to rest. */
export function foresee() {
  clearTimeout(later);
  ahead.drop();
  if (!draft.designs.length || draft.designs.some((one) => !one.file) || firstFault()) {
    for (const name of Object.keys(ENGINES)) $(`#${name}-told`).textContent = "";
    return;
  }
  later = setTimeout(() => ahead.ask(true), LATER_MS);
}

async function look() {
  for (const name of Object.keys(ENGINES)) {
    if (firstFault()) return; // it has come to that while this waited
    let words = "";
    try {
      words = told(name, await withDesigns((ids) => api("/v1/jobs?dry_run=true", { method: "POST", json: { ...request(), engine: $(`#${name}`).value, design_id: ids } })));
    } catch (problem) {
      words = problem.code === "unreachable" ? "" : problem.message; // what is refused is said again, in its place, when it is sent
    }
    $(`#${name}-told`).textContent = words;
  }
}

function told(name, forecast) {
  const { stills, why = "" } = forecast.engine;
  const seconds = forecast.estimated_seconds;
  const time = seconds > 0 && seconds < 1 ? "under 1 s" : seconds === 0 ? "at once: kept from before" : `about ${duration(seconds)}`;
  const cost = money(forecast.estimated_cost, forecast.currency);
  const words = Object.entries(VIEWS).reduce((text, [view, called]) => text.replaceAll(view, called), why);
  const traced = name === "fast" && stills === "cycles" ? ` · cannot be relit, so ${words}` : "";
  return `${time} · ${cost}${traced}`;
}
