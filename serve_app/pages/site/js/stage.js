// The stage: the garment with the design on it, relit, from any of its sides, a moment after each change. Nothing is stored.

import { $, api, make, replace, VIEWS } from "./farm.js";
import { withDesigns } from "./designs.js";
import { draft, inHand } from "./draft.js";
import { faultOf } from "./faults.js";
import { Latest, Pace } from "./latest.js";

const SEEN_FROM = { front: "front_0deg", back: "back_180deg", sleeve_left: "left_90deg", sleeve_right: "right_270deg" };
const FULL_PX = [1024, 768, 512];
const SIDE_PX = 256;
const REST_MS = 250;
const SLOW_MS = 400;
const AGAIN_S = 2;
/** What a request has besides the look of its pictures. */
const NO_LOOK = ["product_id", "media", "priority", "engine", "saga", "samples", "quality", "mode", "model", "format", "views", "size"];

let request = () => ({});
let view = "front_0deg";
let panel = null;
let version = 0; // of what is to be seen
let unlit = null; // the garment that cannot be shown, for want of light
let worn = null; // the garment that was shown last
let resting = 0;
let again = 0;
const full = new Map(); // of a garment, how many sizes are too large for the light it has
const pace = new Pace();
const sides = new Map(); // what was last seen from each side
const asking = new Latest((what) => (what.sides ? lookAside(what) : look(what)));

/** `wanted` answers the request as it is now. */
export function beginStage(wanted) {
  request = wanted;
  replace($("#sides"), Object.entries(VIEWS).map(([name, words]) => make("label", { class: "side" },
    make("input", { type: "radio", name: "side", value: name, checked: name === view, onchange: () => choose(name) }),
    make("img", { alt: "", id: `side-${name}`, hidden: true }), make("span", {}, words))));
}

/** Something of what is to be seen has changed. */
export function refresh() {
  version += 1;
  clearTimeout(resting);
  clearTimeout(again);
  asking.drop();
  follow();
  const why = unseen();
  say(why);
  if (why) return;
  asking.ask({ size: pace.size, atRest: false });
  resting = setTimeout(rest, REST_MS);
}

function rest() {
  asking.ask({ size: FULL_PX[full.get(draft.template.hash) ?? 0], atRest: true });
}

/** Whoever takes another panel into the hand wants to see that one. */
function follow() {
  const now = inHand()?.panel;
  if (now === panel) return;
  panel = now;
  if (SEEN_FROM[now]) turnTo(SEEN_FROM[now]);
}

function turnTo(name) {
  view = name;
  $(`#sides input[value="${name}"]`).checked = true;
}

function choose(name) {
  turnTo(name);
  const before = sides.get(name);
  if (before) paint($("#worn-picture"), before); // small, but at once
  refresh();
}

// --- pictures ------------------------------------------------------------------------------------------------------

/** One relit picture of what is asked for now. */
function picture(from, size) {
  const look = Object.fromEntries(Object.entries(request()).filter(([name]) => !NO_LOOK.includes(name)));
  const format = look.background_color === "transparent" ? "png" : "jpeg";
  return withDesigns((ids) => api("/v1/pictures", {
    method: "POST", json: { ...look, design_id: ids, views: [from], size, format }, headers: { Accept: "image/*, application/problem+json" },
  }));
}

async function look({ size, atRest }) {
  if (unseen()) return; // it has come to that while this waited
  const [mine, from, begun] = [version, view, performance.now()];
  const slow = setTimeout(() => $("#stage").classList.add("waiting"), SLOW_MS);
  try {
    const seen = await picture(from, size);
    if (!atRest) pace.took(size, performance.now() - begun);
    if (unseen() || from !== view) return;
    await paint($("#worn-picture"), seen);
    if (unseen()) return; // it has come to that meanwhile, and was said
    $("#worn-picture").alt = `${VIEWS[from]} of the ${draft.template.name} in ${draft.fabric.name}, with the design`;
    worn = draft.template.hash;
    $("#stage").dataset.state = "seen";
    say(null);
  } catch (problem) {
    if (mine === version) failed(problem, atRest);
    return;
  } finally {
    clearTimeout(slow);
    $("#stage").classList.remove("waiting");
  }
  if (atRest && mine === version) asking.ask({ sides: [view, ...Object.keys(VIEWS).filter((one) => one !== view)] });
}

/** The sides, small, one after the other, as long as nothing changes. */
async function lookAside({ sides: [name, ...left] }) {
  const mine = version;
  try {
    const seen = await picture(name, SIDE_PX);
    if (mine !== version) return;
    sides.set(name, seen);
    await paint($(`#side-${name}`), seen);
  } catch {
    return; // the large picture says what is wrong, at the next change
  }
  if (mine === version && left.length) asking.ask({ sides: left });
}

async function paint(image, data) {
  const before = image.src;
  image.src = URL.createObjectURL(data);
  image.hidden = false;
  await image.decode().catch(() => {}); // another one may have come instead
  if (before.startsWith("blob:")) URL.revokeObjectURL(before);
}

// --- what cannot be shown ------------------------------------------------------------------------------------------

/** Why nothing can be shown of this, as {state, message, hint}; `null` where it can. */
function unseen() {
  if (!draft.designs.length) return { state: "empty" };
  if (draft.designs.some((one) => !one.file)) return { state: "unseen", message: "The design lies at an address of its own.", hint: "It is fetched when its pictures are made, and cannot be shown here before." };
  const wrong = faultOf("design") ?? faultOf("garment") ?? faultOf("place");
  if (wrong) return { state: "stale", message: "Not shown:", hint: wrong };
  if (unlit === draft.template.hash) {
    return {
      state: "unseen", message: `The ${draft.template.name} has no light yet, so it cannot be shown at once.`,
      hint: `Its pictures can be made all the same: traced, which takes longer. An operator gives it light once with “farm template bake ${draft.template.id}”.`,
    };
  }
  return null;
}

function failed(problem, atRest) {
  const known = unseen(); // the design itself may have been refused
  if (known) {
    say(known);
    return;
  }
  const tooLarge = full.get(draft.template.hash) ?? 0;
  if (problem.code === "bake_too_small" && atRest && tooLarge < FULL_PX.length - 1) {
    full.set(draft.template.hash, tooLarge + 1);
    rest();
    return;
  }
  if (["bake_missing", "bake_too_small"].includes(problem.code)) {
    unlit = draft.template.hash;
    say(unseen());
    return;
  }
  clearTimeout(resting);
  const state = worn === draft.template.hash ? "stale" : "unseen";
  const waits = problem.status === 429 || problem.retryable;
  const seconds = Math.max(AGAIN_S, problem.after_s ?? 0);
  say({ state, message: problem.message, hint: [problem.hint, waits && `It is tried again in ${seconds} s.`].filter(Boolean).join(" "), retry: !waits });
  if (waits) again = setTimeout(() => { if (!$("#making").hidden) refresh(); }, 1000 * seconds);
}

function say(why) {
  const words = why?.message ? `${why.message} ${why.hint}` : "";
  if (why) $("#stage").dataset.state = why.state;
  else if (worn !== draft.template.hash) $("#stage").dataset.state = "coming";
  if ($("#why").dataset.words === words) return; // said once
  $("#why").dataset.words = words;
  replace($("#why"), words && make("p", {}, make("strong", {}, why.message), ` ${why.hint}`),
    why?.retry && make("button", { type: "button", onclick: refresh }, "Try again"));
}
