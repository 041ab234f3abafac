// Design, place, garment, pictures: a request, checked where it is made; then the job, live, in the same page.

import { $, api, frame, make, problemNotice, replace, session, VIEWS } from "./farm.js";
import { besideForm, heightOf, layerOf, layerWords, onCloth, PANELS, USUAL, ways } from "./layers.js";
import { fitted, PanelEditor } from "./placement.js";
import { leaveJob, onChange, watch } from "./watching.js";

frame("/");
const limits = await session();

const SEEN_FROM = { front: "front_0deg", back: "back_180deg", sleeve_left: "left_90deg", sleeve_right: "right_270deg" };
const GEOMETRY = ["x_cm", "y_cm", "width_cm", "height_cm", "rotation_deg"];
const state = {
  designs: [], // {file, url, width, height}; empty ones where the job `again` has them at an address
  again: null, // the job whose designs are used once more
  sent: null, // the job that was made of these designs
  layers: [], at: 0, preset: "chest-large", // a preset is a name for the place of a single layer
  beside: { members: {}, words: [] }, // of a job that is changed: what it asked for and no field here shows
  templates: [], template: null, fabric: "#ffffff",
};
const faults = new Map(); // what is wrong, by the part of the form; nothing is sent while there is any
let asking = null;
let later = 0;
let unbaked = null;
const editor = new PanelEditor($("#editor"), (place) => {
  state.preset = null;
  put(place);
  showPresets();
  showNumbers();
  preview();
});

const [templates, fabrics] = await Promise.all([api("/v1/templates"), api("/v1/fabrics")]);
state.templates = templates;
replace($("#template"), templates.map((one) => make("option", { value: one.id }, one.name)));
$("#template-row").hidden = templates.length < 2;
replace($("#fabrics"), fabrics.map((one, number) => swatch(one, number === 0)));
replace($("#views"), Object.entries(VIEWS).map(([view, name]) => make("label", {},
  make("input", { type: "checkbox", value: view, checked: true }), name)));
$("#drop-facts").textContent = `Up to ${megabytes(limits.design_max_bytes)}; transparent areas show the cloth.`;
chooseTemplate(templates[0]);
chooseFabric(fabrics[0]);

function swatch(one, checked) {
  return make("label", { class: "swatch", title: one.name, vars: { "--colour": one.hex } },
    make("input", { type: "radio", name: "fabric", value: one.hex, "aria-label": one.name, checked, onchange: () => chooseFabric(one) }),
    make("span", {}));
}

// --- what is wrong, beside where it was done -----------------------------------------------------------------------

/** Says what is wrong with a part of the form, or with `null` that nothing is. */
function fault(part, message, hint = "") {
  if (message) faults.set(part, message);
  else faults.delete(part);
  const slot = $(`#${part}-said`);
  const words = message ? `${message} ${hint}`.trim() : "";
  // Said once: a screen reader would say it again at every step of a drag.
  if (slot.textContent !== words) replace(slot, message && make("div", { class: "notice bad", role: "alert" }, make("strong", {}, message), ` ${hint}`));
  ready();
}

function ready() {
  const first = [...faults.values()][0];
  $("#render").disabled = !state.designs.length || faults.size > 0;
  $("#render-hint").textContent = first ? "Something above has to be mended first." : !state.designs.length ? "Choose a design first." : state.again ? "With the design of the last pictures, or choose another." : "";
}

const PARTS = { design: "design", designs: "design", upload_id: "design", placements: "place", preset: "place", fabric_color: "garment", template: "garment", product_id: "product" };

/** What the farm refused, beside the part that it is about. */
function refused(problem) {
  const [, member] = (problem.errors[0]?.pointer ?? "").split("/");
  const part = problem.code.startsWith("design_") || problem.code === "bad_design" ? "design"
    : ["low_resolution", "print_off_cloth"].includes(problem.code) ? "place"
      : member ? PARTS[member] ?? "output" : null;
  replace($(part ? `#${part}-said` : "#said"), problemNotice(problem));
  ($(part ? `#step-${part}` : "#said") ?? $("#said")).scrollIntoView({ block: "nearest" });
}

// --- design --------------------------------------------------------------------------------------------------------

const drop = $("#drop");
$("#file").addEventListener("change", (event) => take(event.target.files[0]));
for (const kind of ["dragover", "dragenter"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files[0]); });

function megabytes(bytes) {
  return `${(bytes / 1e6).toLocaleString(undefined, { maximumFractionDigits: 1 })} MB`;
}

async function isPicture(file) {
  const start = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  return [[0x89, 0x50, 0x4e, 0x47], [0xff, 0xd8, 0xff]].some((magic) => magic.every((byte, at) => start[at] === byte));
}

/** The file as a picture of this page, or why it cannot be a design: before anything of it is sent. */
async function looked(file) {
  if (file.size > limits.design_max_bytes) {
    return { why: `${file.name} has ${megabytes(file.size)}; a design may have ${megabytes(limits.design_max_bytes)}.`, hint: "Save it smaller, or as JPEG if nothing in it is transparent." };
  }
  if (!(await isPicture(file))) return { why: `${file.name} is not a picture this farm can print.`, hint: "Choose a PNG or JPEG." };
  const url = URL.createObjectURL(file);
  const picture = new Image();
  picture.src = url;
  try {
    await picture.decode();
  } catch {
    URL.revokeObjectURL(url);
    return { why: `${file.name} is damaged: it is not a picture this browser can read.`, hint: "Export it again as PNG or JPEG." };
  }
  const [width, height] = [picture.naturalWidth, picture.naturalHeight];
  if (width * height > limits.design_max_pixels) {
    URL.revokeObjectURL(url);
    return { why: `${file.name} has ${width} × ${height} pixels; a design may have ${(limits.design_max_pixels / 1e6).toFixed(0)} million.`, hint: "3600 × 4800 pixels fill the print area at 300 DPI." };
  }
  return { file, url, width, height };
}

async function take(file) {
  if (!file) return;
  const found = await looked(file);
  if (found.why) {
    // The design from before stays: it is shown, and it is what would be rendered.
    $("#file").value = "";
    replace($("#design-said"), make("div", { class: "notice bad", role: "alert" }, make("strong", {}, found.why), ` ${found.hint}`));
    return;
  }
  fault("design", null);
  const before = state.designs.length;
  useDesigns([found], null);
  if (before > 1) replace($("#design-said"), make("p", { class: "small" }, `It takes the place of all ${before} designs.`));
  for (const layer of state.layers) Object.assign(layer, { design: 0, height_cm: null });
  if (state.preset) usePreset(state.preset);
  else showAll();
}

/** Use these designs from now on: files of this page, or those of the job `again`. */
function useDesigns(designs, again) {
  for (const one of state.designs) URL.revokeObjectURL(one.url);
  Object.assign(state, { designs, again });
  const [first] = designs;
  $("#thumb").hidden = !first?.url;
  if (first?.url) $("#thumb").src = first.url;
  const more = designs.length > 1 ? ` and ${designs.length - 1} more` : "";
  $("#drop-words").textContent = again ? `The design of the last pictures${more}` : first?.file.name ?? "Drop a PNG or JPEG, or choose a file";
  $("#drop-facts").textContent = first?.width ? `${first.width} × ${first.height} px, ${megabytes(first.file.size)}. Choose again to change it.` : "Choose again to change it.";
  ready();
}

// --- place ---------------------------------------------------------------------------------------------------------

function inHand() {
  return state.layers[state.at];
}

function designOf(layer) {
  const design = state.designs[layer.design];
  return design?.width ? design : null;
}

/** The layer in hand as the editor has it, its height told. */
function place() {
  const layer = inHand();
  return { ...Object.fromEntries(GEOMETRY.map((name) => [name, layer[name]])), height_cm: heightOf(layer, designOf(layer)) };
}

function put(next) {
  const layer = inHand();
  // Where the design decides about the height, it goes on to.
  const free = layer.height_cm === null || layer.height_cm === undefined;
  Object.assign(layer, next, free && { height_cm: null });
}

function presetsHere() {
  return state.layers.length > 1 ? [] : Object.entries(state.template.preset_boxes).filter(([, box]) => box.panel === inHand()?.panel);
}

function panelsHere() {
  return Object.keys(PANELS).filter((name) => state.template.panels[name]?.outline_cm?.length);
}

function chooseTemplate(template) {
  state.template = template;
  fault("garment", null);
  const names = panelsHere();
  if (state.layers.length > 1) {
    showAll();
    return;
  }
  const panel = inHand()?.panel;
  if (state.preset && template.preset_boxes[state.preset] && panel) usePreset(state.preset);
  else choosePanel(names.includes(panel) ? panel : names[0]);
}

/** Put the single layer onto a panel; of several, take that panel's into the hand. */
function choosePanel(name) {
  if (state.layers.length > 1) {
    state.at = state.layers.findIndex((layer) => layer.panel === name);
    showAll();
    return;
  }
  state.layers = [layerOf(name, { x_cm: 0, y_cm: 0, width_cm: 8, height_cm: null, rotation_deg: 0 })];
  state.at = 0;
  const [first] = presetsHere().sort(([a], [b]) => Number(b === "chest-large") - Number(a === "chest-large"));
  if (first) {
    usePreset(first[0]);
    return;
  }
  const { bounds } = state.template.panels[name];
  state.preset = null;
  put({ y_cm: (bounds.y_min_cm + bounds.y_max_cm) / 2, width_cm: Math.min(8, (bounds.x_max_cm - bounds.x_min_cm) / 3) });
  showAll();
}

function usePreset(name) {
  const box = state.template.preset_boxes[name];
  state.preset = name;
  state.at = 0;
  state.layers = [layerOf(box.panel, fitted(box, state.designs[0]?.width ? state.designs[0] : { width: box.width_cm, height: box.height_cm }))];
  showAll();
}

function showAll() {
  showTabs();
  showLayers();
  showPresets();
  showEditor();
  showNumbers();
}

function showTabs() {
  const used = new Set(state.layers.map((layer) => layer.panel));
  replace($("#panels"), panelsHere().map((name) => make("button", {
    type: "button", class: "tab", role: "tab", id: `tab-${name}`, "aria-selected": String(name === inHand().panel), "aria-controls": "editor",
    disabled: state.layers.length > 1 && !used.has(name), onclick: () => { choosePanel(name); $(`#tab-${name}`).focus(); },
  }, PANELS[name])));
}

/** Of several layers: which is in hand, and how each lies. */
function showLayers() {
  $("#layers").hidden = state.layers.length < 2;
  replace($("#layers"), state.layers.length > 1 && state.layers.map((layer, number) => make("label", { class: "row" },
    make("input", { type: "radio", name: "layer", value: String(number), checked: number === state.at, onchange: () => { state.at = number; showAll(); $(`#layers input[value="${number}"]`).focus(); } }),
    layerWords(layer))), state.layers.length > 1 && make("button", { type: "button", class: "plain", onclick: removeLayer }, "Remove this layer"));
}

function removeLayer() {
  state.layers.splice(state.at, 1);
  state.at = Math.min(state.at, state.layers.length - 1);
  showAll();
  ($("#layers input:checked") ?? $("#x")).focus();
}

function showPresets() {
  const words = (name) => name.replace(/^(chest|back)-/, "").replaceAll("-", " ");
  replace($("#presets"), presetsHere().map(([name]) => make("label", { class: "chip" },
    make("input", { type: "radio", name: "preset", value: name, checked: name === state.preset, onchange: () => usePreset(name) }),
    make("span", {}, words(name)))));
  $("#presets").hidden = presetsHere().length === 0;
}

function showEditor() {
  preview();
  const layer = inHand();
  const others = state.layers.filter((one) => one !== layer && one.panel === layer.panel);
  if (!state.template.panels[layer.panel]?.outline_cm?.length) {
    replace($("#editor"), make("p", { class: "empty" }, `${state.template.name} has no such panel.`));
    return;
  }
  editor.show({
    name: layer.panel, panel: state.template.panels[layer.panel], colour: state.fabric, design: designOf(layer), fit: layer.fit,
    placement: state.designs.length ? place() : null,
    others: others.map((one) => ({ place: { ...one, height_cm: heightOf(one, designOf(one)) }, design: designOf(one) })),
  });
}

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

function showNumbers() {
  const now = place();
  const layer = inHand();
  const design = designOf(layer);
  $("#x").value = now.x_cm.toFixed(1);
  $("#y").value = now.y_cm.toFixed(1);
  $("#width").value = now.width_cm.toFixed(1);
  $("#rotation").value = now.rotation_deg.toFixed(0);
  const dpi = design ? design.width / (now.width_cm / 2.54) : null;
  const area = state.template.panels[layer.panel]?.print_area;
  const outside = area && (now.x_cm - now.width_cm / 2 < area.x_cm - 0.05 || now.x_cm + now.width_cm / 2 > area.x_cm + area.width_cm + 0.05
    || now.y_cm - now.height_cm / 2 < area.y_cm - 0.05 || now.y_cm + now.height_cm / 2 > area.y_cm + area.height_cm + 0.05);
  const cloth = onCloth(state.template.panels[layer.panel], layer, design);
  replace($("#readout"),
    make("span", {}, make("b", {}, `${now.width_cm.toFixed(1)} × ${now.height_cm.toFixed(1)} cm`), " print"),
    make("span", {}, make("b", {}, `${now.y_cm.toFixed(1)} cm`), " below the seam"),
    dpi && make("span", { class: dpi < 150 ? "warn" : "" }, make("b", {}, `${Math.round(dpi)} DPI`), dpi < 150 ? " is low: it will look soft" : " at this size"),
    cloth === "part" ? make("span", { class: "warn" }, "crosses a seam: what lies beyond is cut off") : outside && cloth === "all" && make("span", { class: "warn" }, "leaves the print area"),
    ways(layer).map((words) => make("span", {}, words)));
  checkPlace();
}

/** A layer that would show nowhere, or that this garment has no panel for, is no layer. */
function checkPlace() {
  if (!state.designs.length) { fault("place", null); return; }
  const names = panelsHere();
  const lost = state.layers.find((layer) => !names.includes(layer.panel));
  const hidden = state.layers.find((layer) => names.includes(layer.panel) && onCloth(state.template.panels[layer.panel], layer, designOf(layer)) === "none");
  const [first] = state.layers;
  const dpi = Math.min(...state.layers.map((layer) => (designOf(layer) ? designOf(layer).width / (layer.width_cm / 2.54) : Infinity)));
  if (lost) fault("place", `${state.template.name} has no ${PANELS[lost.panel] ?? lost.panel}.`, "Remove that layer, or choose another garment.");
  else if (hidden) fault("place", `The print lies beside the ${PANELS[hidden.panel].toLowerCase()}: nothing of it would show.`, hidden === first && state.layers.length === 1 ? "Move it onto the cloth." : "Move that layer onto the cloth, or remove it.");
  else if (dpi < limits.dpi_floor) fault("place", `The print would have ${Math.round(dpi)} DPI; this farm prints from ${limits.dpi_floor} DPI.`, "Print it smaller, or choose a larger design.");
  else fault("place", null);
}

// --- the preview: the design on the garment, relit, a moment after each change -------------------------------------

function preview() {
  clearTimeout(later);
  later = setTimeout(askPreview, 120);
}

async function askPreview() {
  asking?.abort();
  if (!state.designs.length || state.designs.some((one) => !one.file) || unbaked === state.template.id || faults.size > 0) {
    noPreview();
    return;
  }
  asking = new AbortController();
  const { product_id, media, priority, engine, saga, ...rest } = request();
  const wanted = { ...rest, views: [SEEN_FROM[inHand().panel]], size: 512, format: "png", background_color: "transparent", mode: "images-only", model: false };
  $("#worn").classList.add("late");
  try {
    const picture = await api(`/v1/preview?view=${SEEN_FROM[inHand().panel]}`, { method: "POST", body: form(wanted), signal: asking.signal });
    const url = URL.createObjectURL(picture);
    const before = $("#worn-picture").src;
    $("#worn-picture").src = url;
    if (before) URL.revokeObjectURL(before);
    $("#worn").hidden = false;
    $("#worn").classList.remove("late");
    $(".place").classList.add("worn");
  } catch (problem) {
    if (problem.code === "bake_missing") unbaked = state.template.id;
    if (problem.code !== "unreachable") noPreview();
  }
}

function noPreview() {
  $("#worn").hidden = true;
  $(".place").classList.remove("worn");
}

// --- garment -------------------------------------------------------------------------------------------------------

$("#template").addEventListener("change", (event) => chooseTemplate(state.templates.find((one) => one.id === event.target.value)));

function chooseFabric(fabric) {
  state.fabric = fabric.hex;
  $("#fabric-name").textContent = `Fabric: ${fabric.name}`;
  showEditor();
}

// --- pictures ------------------------------------------------------------------------------------------------------

$("#format").addEventListener("change", checkBackground);
function checkBackground() {
  const jpeg = $("#format").value === "jpeg";
  $("#background").options[0].disabled = jpeg;
  if (jpeg && $("#background").value === "transparent") $("#background").value = "#ffffff";
}

for (const part of [$("#views"), $("#film"), $("#model")]) part.addEventListener("change", checkOutput);
function checkOutput() {
  const any = $("#views input:checked") || $("#film").checked || $("#model").checked;
  fault("output", any ? null : "Nothing is asked for.", "Tick a view, the film or the 3D model.");
}

$("#product").addEventListener("input", checkProduct);
function checkProduct() {
  const good = $("#product").value.trim() === "" || new RegExp(`^(?:${$("#product").pattern})$`).test($("#product").value.trim());
  fault("product", good ? null : "This is no product id.", "It begins with a letter or digit, then letters, digits, dots, colons, dashes, underscores.");
}

function request() {
  const views = [...$("#views").querySelectorAll("input:checked")].map((box) => box.value);
  const wanted = {
    ...state.beside.members, template: state.template.id, fabric_color: state.fabric, background_color: $("#background").value, views,
    quality: $("#quality").value, size: Number($("#size").value), format: $("#format").value,
    mode: !$("#film").checked ? "images-only" : views.length ? "all" : "animation-only",
    model: $("#model").checked,
  };
  if ($("#product").value.trim()) wanted.product_id = $("#product").value.trim();
  else if (state.again) wanted.product_id = null;
  if (state.preset) wanted.preset = state.preset;
  else wanted.placements = state.layers.map((layer) => ({ ...layer }));
  return wanted;
}

function form(wanted) {
  const body = new FormData();
  for (const one of state.designs) body.append("design", one.file);
  body.append("request", JSON.stringify(wanted));
  return body;
}

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if ($("#render").disabled) return;
  $("#render").disabled = true;
  replace($("#said"));
  try {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    const job = await (state.again
      ? api(`/v1/jobs/${state.again}/retry`, { method: "POST", json: request(), headers })
      : api("/v1/jobs", { method: "POST", body: form(request()), headers }));
    state.sent = job.id;
    watch(job);
  } catch (problem) {
    refused(problem);
  } finally {
    ready();
  }
});

// --- the same again, with changes ----------------------------------------------------------------------------------

onChange(change);

/** Back to the form with all that the job asked for; what the form has no field for is kept, and said. */
async function change(job) {
  leaveJob();
  const asked = job.request;
  if (state.sent !== job.id) await designsOf(job);
  const template = state.templates.find((one) => one.id === asked.template);
  state.template = template ?? state.template;
  $("#template").value = state.template.id;
  state.layers = asked.placements.map((layer) => ({ ...layer }));
  state.at = 0;
  state.preset = asked.preset && state.template.preset_boxes[asked.preset] ? asked.preset : null;
  state.beside = besideForm(asked);
  showBeside();
  colour(asked.fabric_color);
  for (const box of $("#views").querySelectorAll("input")) box.checked = asked.mode !== "animation-only" && asked.views.includes(box.value);
  for (const [id, value] of [["size", asked.size], ["format", asked.format], ["quality", asked.quality], ["background", asked.background_color]]) choose($(`#${id}`), String(value));
  $("#product").value = asked.product_id ?? "";
  $("#film").checked = asked.mode !== "images-only";
  $("#model").checked = Boolean(asked.model);
  checkBackground();
  if (state.preset) usePreset(state.preset);
  else showAll();
  checkOutput();
  checkProduct();
  if (!template) fault("garment", `The garment ${asked.template} is not in this farm any more.`, "Choose another.");
  window.history.replaceState(null, "", "/");
  $("#rendering").hidden = true;
  $("#making").hidden = false;
  $("#making-title").focus();
}

/** The job's own designs, to be seen here; where they are not kept, all else is, and a design is chosen anew. */
async function designsOf(job) {
  const found = await Promise.all(job.designs.map((sha, number) => oneDesign(job.id, number)));
  if (found.length && found.every((one) => one.url)) {
    useDesigns(found, job.id);
    fault("design", null);
    return;
  }
  useDesigns([], null);
  // What was fetched from an address can be fetched again, though nothing of it is here to be seen.
  if (job.design_urls.length) useDesigns(job.design_urls.map(() => ({})), job.id);
  else replace($("#design-said"), make("div", { class: "notice" }, "The design of that job is no longer kept: choose it again. All else is as it was."));
}

async function oneDesign(id, number) {
  try {
    const data = await api(`/v1/jobs/${id}/designs/${number}`);
    const url = URL.createObjectURL(data);
    const picture = new Image();
    picture.src = url;
    await picture.decode();
    return { url, file: data, width: picture.naturalWidth, height: picture.naturalHeight };
  } catch {
    return {};
  }
}

/** A value that the list does not have comes into it: it was asked for, and is shown. */
function choose(list, value) {
  if (![...list.options].some((one) => one.value === value)) list.append(make("option", { value }, value));
  list.value = value;
}

function colour(hex) {
  if (!$(`#fabrics input[value="${hex}"]`)) $("#fabrics").append(swatch({ name: hex, hex }, false));
  $(`#fabrics input[value="${hex}"]`).checked = true;
  chooseFabric(fabrics.find((one) => one.hex === hex) ?? { name: hex, hex });
}

function showBeside() {
  const { words } = state.beside;
  replace($("#beside"), words.length > 0 && make("div", { class: "notice" }, make("strong", {}, "Kept from the last pictures, without a field here"), words.join(", "), ". ",
    make("button", { type: "button", class: "plain", onclick: () => { state.beside = { members: USUAL, words: [] }; showBeside(); $("#render").focus(); } }, "Leave these out")));
}

const resumed = new URLSearchParams(location.search).get("job");
if (resumed && /^job_[0-9a-z]{26}$/.test(resumed)) {
  try {
    watch(await api(`/v1/jobs/${resumed}`));
  } catch (problem) {
    window.history.replaceState(null, "", "/");
    replace($("#said"), problemNotice(problem));
  }
}
take($("#file").files[0]); // chosen before this was listened for, or kept by the browser over a reload
