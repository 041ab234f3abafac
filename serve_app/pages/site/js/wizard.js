// Design, place, garment, pictures: then the job, live, in the same page.

import { $, api, duration, follow, frame, make, problemNotice, replace, ring, session, statusTag, VIEWS, zoom } from "./farm.js";
import { fitted, PanelEditor } from "./placement.js";
import { downloads, extras, history as history_ } from "./results.js";

frame("/");
await session();

const PANELS = { front: "Front", back: "Back", sleeve_left: "Left sleeve", sleeve_right: "Right sleeve" };
const TITLES = { completed: "Your pictures", failed: "This job failed", cancelled: "Cancelled" };
const SEEN_FROM = { front: "front_0deg", back: "back_180deg", sleeve_left: "left_90deg", sleeve_right: "right_270deg" };
const state = { design: null, templates: [], template: null, panel: "front", preset: "chest-large", placement: null, fabric: "#ffffff", again: null };
let asking = null;
let again = 0;
let unbaked = null;
let leave = () => {};
let finished = false;
const editor = new PanelEditor($("#editor"), (placement) => {
  state.placement = placement;
  state.preset = null;
  showNumbers();
  showPresets();
  preview();
});

const [templates, fabrics] = await Promise.all([api("/v1/templates"), api("/v1/fabrics")]);
state.templates = templates;
replace($("#template"), templates.map((one) => make("option", { value: one.id }, one.name)));
$("#template-row").hidden = templates.length < 2;
replace($("#fabrics"), fabrics.map((one, number) => make("label", { class: "swatch", title: one.name, vars: { "--colour": one.hex } },
  make("input", { type: "radio", name: "fabric", value: one.hex, "aria-label": one.name, checked: number === 0, onchange: () => chooseFabric(one) }),
  make("span", {}))));
replace($("#views"), Object.entries(VIEWS).map(([view, name]) => make("label", {},
  make("input", { type: "checkbox", value: view, checked: true }), name)));
chooseTemplate(templates[0]);
chooseFabric(fabrics[0]);

// --- design --------------------------------------------------------------------------------------------------------

const drop = $("#drop");
$("#file").addEventListener("change", (event) => take(event.target.files[0]));
for (const kind of ["dragover", "dragenter"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files[0]); });
take($("#file").files[0]); // chosen before this was listened for, or kept by the browser over a reload

async function take(file) {
  if (!file) return;
  const url = URL.createObjectURL(file);
  const picture = new Image();
  picture.src = url;
  try {
    await picture.decode();
  } catch {
    URL.revokeObjectURL(url);
    replace($("#said"), problemNotice({ message: `${file.name} is not a picture this browser can read.`, hint: "Choose a PNG or JPEG." }));
    return;
  }
  if (state.design) URL.revokeObjectURL(state.design.url);
  state.design = { file, url, width: picture.naturalWidth, height: picture.naturalHeight };
  replace($("#said"));
  $("#thumb").src = url;
  $("#thumb").hidden = false;
  $("#drop-words").textContent = file.name;
  $("#drop-facts").textContent = `${picture.naturalWidth} × ${picture.naturalHeight} px, ${(file.size / 1e6).toFixed(1)} MB. Choose again to change it.`;
  $("#render").disabled = false;
  $("#render-hint").textContent = "";
  if (state.preset) usePreset(state.preset);
  else reshape();
}

function reshape() {
  state.placement = { ...state.placement, height_cm: state.placement.width_cm * state.design.height / state.design.width };
  showEditor();
  showNumbers();
}

// --- place ---------------------------------------------------------------------------------------------------------

function presetsHere() {
  return Object.entries(state.template.preset_boxes).filter(([, box]) => box.panel === state.panel);
}

function chooseTemplate(template) {
  state.template = template;
  const names = Object.keys(PANELS).filter((name) => template.panels[name]?.outline_cm?.length);
  replace($("#panels"), names.map((name) => make("button", {
    type: "button", class: "tab", role: "tab", id: `tab-${name}`, "aria-selected": String(name === state.panel), "aria-controls": "editor",
    onclick: () => choosePanel(name),
  }, PANELS[name])));
  choosePanel(names.includes(state.panel) ? state.panel : names[0]);
}

function choosePanel(name) {
  state.panel = name;
  for (const tab of $("#panels").children) tab.setAttribute("aria-selected", String(tab.id === `tab-${name}`));
  const [first] = presetsHere().sort(([a], [b]) => Number(b === "chest-large") - Number(a === "chest-large"));
  if (first) usePreset(first[0]);
  else {
    const { bounds } = state.template.panels[name];
    state.preset = null;
    const shape = state.design ? state.design.height / state.design.width : 1;
    const width = Math.min(8, (bounds.x_max_cm - bounds.x_min_cm) / 3);
    state.placement = { x_cm: 0, y_cm: (bounds.y_min_cm + bounds.y_max_cm) / 2, width_cm: width, height_cm: width * shape, rotation_deg: 0 };
  }
  showPresets();
  showEditor();
  showNumbers();
}

function usePreset(name) {
  const box = state.template.preset_boxes[name];
  state.preset = name;
  state.placement = fitted(box, state.design ?? { width: box.width_cm, height: box.height_cm });
  showPresets();
  showEditor();
  showNumbers();
}

function showPresets() {
  const words = (name) => name.replace(/^(chest|back)-/, "").replaceAll("-", " ");
  replace($("#presets"), presetsHere().map(([name]) => make("label", { class: "chip" },
    make("input", { type: "radio", name: "preset", value: name, checked: name === state.preset, onchange: () => usePreset(name) }),
    make("span", {}, words(name)))));
  $("#presets").hidden = presetsHere().length === 0;
}

// --- the preview: the design on the garment, relit, a moment after each change -------------------------------------

function preview() {
  clearTimeout(again);
  again = setTimeout(askPreview, 120);
}

async function askPreview() {
  if (!state.design || unbaked === state.template.id) return;
  asking?.abort();
  asking = new AbortController();
  const wanted = { ...request(), size: 512, format: "png", background_color: "transparent", mode: "images-only" };
  delete wanted.product_id;
  const body = new FormData();
  body.append("design", state.design.file);
  body.append("request", JSON.stringify(wanted));
  $("#worn").classList.add("late");
  try {
    const picture = await api(`/v1/preview?view=${SEEN_FROM[state.panel]}`, { method: "POST", body, signal: asking.signal });
    const url = URL.createObjectURL(picture);
    const before = $("#worn-picture").src;
    $("#worn-picture").src = url;
    if (before) URL.revokeObjectURL(before);
    $("#worn").hidden = false;
    $("#worn").classList.remove("late");
    $(".place").classList.add("worn");
  } catch (problem) {
    if (problem.code === "bake_missing") unbaked = state.template.id;
    if (problem.code !== "unreachable") {
      $("#worn").hidden = true;
      $(".place").classList.remove("worn");
    }
  }
}

function showEditor() {
  preview();
  editor.show({
    name: state.panel, panel: state.template.panels[state.panel], colour: state.fabric, design: state.design, placement: state.placement,
  });
}

for (const [field, name] of [["x", "x_cm"], ["y", "y_cm"], ["width", "width_cm"], ["rotation", "rotation_deg"]]) {
  $(`#${field}`).addEventListener("change", (event) => {
    const value = event.target.valueAsNumber;
    if (!Number.isFinite(value)) { showNumbers(); return; }
    const before = state.placement;
    const next = { ...before, [name]: value };
    if (field === "width") next.height_cm = value * before.height_cm / before.width_cm;
    editor.tell(next);
  });
}

function showNumbers() {
  const now = state.placement;
  $("#x").value = now.x_cm.toFixed(1);
  $("#y").value = now.y_cm.toFixed(1);
  $("#width").value = now.width_cm.toFixed(1);
  $("#rotation").value = now.rotation_deg.toFixed(0);
  const dpi = state.design ? state.design.width / (now.width_cm / 2.54) : null;
  const area = state.template.panels[state.panel].print_area;
  const outside = area && (now.x_cm - now.width_cm / 2 < area.x_cm - 0.05 || now.x_cm + now.width_cm / 2 > area.x_cm + area.width_cm + 0.05
    || now.y_cm - now.height_cm / 2 < area.y_cm - 0.05 || now.y_cm + now.height_cm / 2 > area.y_cm + area.height_cm + 0.05);
  replace($("#readout"),
    make("span", {}, make("b", {}, `${now.width_cm.toFixed(1)} × ${now.height_cm.toFixed(1)} cm`), " print"),
    make("span", {}, make("b", {}, `${now.y_cm.toFixed(1)} cm`), " below the seam"),
    dpi && make("span", { class: dpi < 150 ? "warn" : "" }, make("b", {}, `${Math.round(dpi)} DPI`), dpi < 150 ? " is low: it will look soft" : " at this size"),
    outside && make("span", { class: "warn" }, "leaves the print area"));
}

// --- garment -------------------------------------------------------------------------------------------------------

$("#template").addEventListener("change", (event) => chooseTemplate(state.templates.find((one) => one.id === event.target.value)));

function chooseFabric(fabric) {
  state.fabric = fabric.hex;
  $("#fabric-name").textContent = `Fabric: ${fabric.name}`;
  showEditor();
}

// --- render --------------------------------------------------------------------------------------------------------

$("#format").addEventListener("change", checkBackground);
function checkBackground() {
  const jpeg = $("#format").value === "jpeg";
  $("#background").options[0].disabled = jpeg;
  if (jpeg && $("#background").value === "transparent") $("#background").value = "#ffffff";
}

function request() {
  const views = [...$("#views").querySelectorAll("input:checked")].map((box) => box.value);
  const wanted = {
    template: state.template.id, fabric_color: state.fabric, background_color: $("#background").value, views,
    quality: $("#quality").value, size: Number($("#size").value), format: $("#format").value,
    mode: $("#film").checked ? (views.length ? "all" : "animation-only") : "images-only",
  };
  if (!views.length) delete wanted.views;
  wanted.model = $("#model").checked;
  if ($("#product").value.trim()) wanted.product_id = $("#product").value.trim();
  if (state.preset) wanted.preset = state.preset;
  else wanted.placements = [{ panel: state.panel, ...state.placement }];
  return wanted;
}

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!state.design && !state.again) return;
  $("#render").disabled = true;
  replace($("#said"));
  try {
    watch(await (state.design ? submit() : submitAgain(state.again)));
  } catch (problem) {
    replace($("#said"), problemNotice(problem));
  } finally {
    $("#render").disabled = false;
  }
});

function submit() {
  const body = new FormData();
  body.append("design", state.design.file);
  body.append("request", JSON.stringify(request()));
  return api("/v1/jobs", { method: "POST", body, headers: { "Idempotency-Key": crypto.randomUUID() } });
}

/** The same design, with what the form says now. */
function submitAgain(id) {
  return api(`/v1/jobs/${id}/retry`, { method: "POST", json: request(), headers: { "Idempotency-Key": crypto.randomUUID() } });
}

function watch(job) {
  leave();
  finished = false;
  replace($("#kept"));
  replace($("#earlier"));
  window.history.replaceState(null, "", `/?job=${job.id}`);
  $("#making").hidden = true;
  $("#rendering").hidden = false;
  replace($("#outcome"));
  const shots = new Map(job.views.map((view) => [view.view, shot(view)]));
  replace($("#gallery"), [...shots.values()].map((one) => one.element));
  $("#rendering-title").focus();
  show(job, shots);
  leave = follow(job.events_url, async (kind, data) => {
    if (kind === "progress") {
      for (const [view, share] of Object.entries(data.views ?? {})) shots.get(view)?.progress(share);
      tellWhole(data.progress, data.eta_s);
      return;
    }
    show(await api(new URL(job.status_url).pathname), shots);
  });
}

function shot(view) {
  const meter = ring();
  const open = make("button", { class: "frame", type: "button", disabled: true, "aria-label": `${VIEWS[view.view]}, not rendered yet` }, meter.element);
  const words = make("span", { class: "quiet" }, "waiting");
  const element = make("li", { class: "card shot" }, make("figure", {}, open, make("figcaption", {}, VIEWS[view.view], words)));
  let shown = null;
  let own = false; // whether what is shown is the view's own picture, no preview
  return {
    element,
    progress: (share) => { meter.set(share); if (!own) words.textContent = `${shown ? "preview · " : ""}${Math.round(share * 100)} %`; },
    update(now) {
      if (now.status === "done") meter.set(1);
      if (!shown) words.textContent = now.status === "done" ? "done" : now.error ? "trying again" : now.status;
      const url = now.url ?? now.preview_url;
      if (url && url !== shown) {
        shown = url;
        own = Boolean(now.url);
        const path = new URL(url, location.href).pathname;
        const picture = make("img", { src: path, alt: `${VIEWS[view.view]} of the printed garment` });
        replace(open, picture);
        open.disabled = false;
        open.setAttribute("aria-label", `${VIEWS[view.view]}: look closer`);
        open.onclick = () => zoom(VIEWS[view.view], path, path.split("/").pop());
        words.textContent = now.status !== "done" ? "preview" : now.cached ? "kept from before" : duration(now.seconds);
      }
    },
  };
}

function tellWhole(progress, eta) {
  $("#whole").setAttribute("aria-valuenow", Math.round(progress));
  $("#whole i").style.width = `${progress}%`;
  $("#rendering-words").textContent = eta ? `About ${duration(eta)} left.` : "";
}

function show(job, shots) {
  for (const view of job.views) shots.get(view.view)?.update(view);
  tellWhole(job.progress, job.eta_s);
  const ended = job.phase === "ended";
  $("#rendering-title").textContent = ended ? TITLES[job.status] : job.phase === "compensating" ? "Undoing" : "Rendering";
  if (!ended && job.phase !== "compensating" && !job.eta_s) $("#rendering-words").textContent = job.status === "pending" ? "Waiting for a free slot." : "";
  if (ended && job.status === "completed") $("#rendering-words").textContent = job.product_id ? `Attached to ${job.product_id}.` : "";
  replace($("#rendering-tools"),
    statusTag(job),
    !ended && make("button", { type: "button", onclick: () => act(job, "cancel") }, "Cancel"),
    ended && job.status !== "completed" && make("button", { type: "button", onclick: () => act(job, "retry") }, "Try again"),
    make("a", { class: "button", href: `/jobs/${job.id}` }, "Details"),
    ended && make("button", { type: "button", onclick: () => change(job) }, "Change and render again"),
    ended && make("button", { type: "button", class: "main", onclick: () => location.assign("/") }, "New pictures"));
  replace($("#outcome"),
    job.error && ended && problemNotice({ message: job.error.message, hint: job.error.hint }),
    (job.warnings ?? []).map((warning) => make("div", { class: "notice" }, warning.message)));
  if (ended && !finished) {
    finished = true;
    $("#gallery").append(...extras(job));
    replace($("#kept"), downloads(job));
    history_(job).then((section) => replace($("#earlier"), section));
  }
}

/** Back to the form with what the job asked for; a design that is not in this page any more is taken from the job. */
function change(job) {
  leave();
  const asked = job.request;
  state.again = state.design ? null : job.id;
  const template = state.templates.find((one) => one.id === asked.template);
  if (template) { $("#template").value = template.id; chooseTemplate(template); }
  const [placement] = asked.placements;
  choosePanel(placement.panel);
  if (asked.preset && state.template.preset_boxes[asked.preset]) usePreset(asked.preset);
  else {
    state.preset = null;
    state.placement = { x_cm: placement.x_cm, y_cm: placement.y_cm, width_cm: placement.width_cm, height_cm: placement.height_cm ?? placement.width_cm, rotation_deg: placement.rotation_deg };
    showPresets();
    showEditor();
    showNumbers();
  }
  const fabric = $(`#fabrics input[value="${asked.fabric_color}"]`);
  if (fabric) fabric.click();
  for (const box of $("#views").querySelectorAll("input")) box.checked = asked.mode !== "animation-only" && asked.views.includes(box.value);
  $("#size").value = String(asked.size);
  $("#format").value = asked.format;
  $("#quality").value = asked.quality;
  $("#background").value = asked.background_color;
  $("#product").value = asked.product_id ?? "";
  $("#film").checked = asked.mode !== "images-only";
  $("#model").checked = Boolean(asked.model);
  checkBackground();
  $("#render").disabled = false;
  $("#render-hint").textContent = state.again ? "With the design of the last pictures, or choose another." : "";
  window.history.replaceState(null, "", "/");
  $("#rendering").hidden = true;
  $("#making").hidden = false;
  $("#making-title").focus();
}

async function act(job, what) {
  try {
    const next = await api(`/v1/jobs/${job.id}/${what}`, { method: "POST", json: {} });
    if (what === "retry") watch(next);
  } catch (problem) {
    replace($("#outcome"), problemNotice(problem));
  }
}

const resumed = new URLSearchParams(location.search).get("job");
if (resumed && /^job_[0-9a-z]{26}$/.test(resumed)) {
  try {
    watch(await api(`/v1/jobs/${resumed}`));
  } catch {
    window.history.replaceState(null, "", "/");
  }
}
