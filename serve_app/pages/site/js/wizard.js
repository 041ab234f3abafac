// Design, place, garment, pictures: a request, checked where it is made; then the job, live, in the same page.

import { $, api, frame, make, problemNotice, replace, session, VIEWS } from "./farm.js";
import { beginDesigns, designsOf, withDesigns } from "./designs.js";
import { draft, intoPreset, placed, wear } from "./draft.js";
import { beginEngines, engine, foresee, useEngine } from "./engines.js";
import { fault, firstFault, onFault, refused } from "./faults.js";
import { besideForm, USUAL } from "./layers.js";
import { beginPlacing, showEditor, showPlace } from "./placing.js";
import { beginStage, refresh } from "./stage.js";
import { leaveJob, onChange, watch } from "./watching.js";

frame("/");
const limits = await session();
const [templates, fabrics] = await Promise.all([api("/v1/templates"), api("/v1/fabrics")]);
let sent = null; // the job that was made of the designs in hand

onFault(ready);
replace($("#template"), templates.map((one) => make("option", { value: one.id }, one.name)));
$("#template-row").hidden = templates.length < 2;
replace($("#fabrics"), fabrics.map((one, number) => swatch(one, number === 0)));
replace($("#views"), Object.entries(VIEWS).map(([view, name]) => make("label", {},
  make("input", { type: "checkbox", value: view, checked: true }), name)));
draft.fabric = fabrics[0];
beginPlacing(limits, changed);
beginStage(request);
beginEngines(request, foresee);
chooseTemplate(templates[0]);
chooseFabric(fabrics[0]);
beginDesigns(limits, () => {
  if (draft.preset) intoPreset(draft.preset);
  showPlace();
});

/** Something of what is to be seen, made or paid has changed. */
function changed() {
  ready();
  refresh();
  foresee();
}

function ready() {
  $("#render").disabled = !draft.designs.length || firstFault() !== null;
  $("#render-hint").textContent = firstFault() ? "Something above has to be mended first."
    : !draft.designs.length ? "Choose a design first." : draft.again ? "With the design of the last pictures, or choose another." : "";
}

// --- garment -------------------------------------------------------------------------------------------------------

$("#template").addEventListener("change", (event) => chooseTemplate(templates.find((one) => one.id === event.target.value)));

function chooseTemplate(template) {
  wear(template);
  fault("garment", null);
  showPlace();
}

function swatch(one, checked) {
  return make("label", { class: "swatch", title: one.name, vars: { "--colour": one.hex } },
    make("input", { type: "radio", name: "fabric", value: one.hex, "aria-label": one.name, checked, onchange: () => chooseFabric(one) }),
    make("span", {}));
}

function chooseFabric(fabric) {
  draft.fabric = fabric;
  $("#stage").style.setProperty("--fabric", fabric.hex);
  $("#fabric-name").textContent = `Fabric: ${fabric.name}`;
  showEditor();
  changed();
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
$("#step-output").addEventListener("change", foresee);
$("#background").addEventListener("change", refresh);

$("#product").addEventListener("input", checkProduct);
function checkProduct() {
  const good = $("#product").value.trim() === "" || new RegExp(`^(?:${$("#product").pattern})$`).test($("#product").value.trim());
  fault("product", good ? null : "This is no product id.", "It begins with a letter or digit, then letters, digits, dots, colons, dashes, underscores.");
}

function request() {
  const views = [...$("#views").querySelectorAll("input:checked")].map((box) => box.value);
  const wanted = {
    ...draft.beside.members, ...placed(), template: draft.template.id, fabric_color: draft.fabric.hex,
    background_color: $("#background").value, views, engine: engine(),
    quality: $("#quality").value, size: Number($("#size").value), format: $("#format").value,
    mode: !$("#film").checked ? "images-only" : views.length ? "all" : "animation-only",
    model: $("#model").checked,
  };
  if ($("#product").value.trim()) wanted.product_id = $("#product").value.trim();
  else if (draft.again) wanted.product_id = null;
  return wanted;
}

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if ($("#render").disabled) return;
  $("#render").disabled = true;
  replace($("#said"));
  try {
    const job = await submitted({ "Idempotency-Key": crypto.randomUUID() });
    sent = job.id;
    watch(job);
  } catch (problem) {
    refused(problem);
  } finally {
    ready();
  }
});

function submitted(headers) {
  if (draft.again) return api(`/v1/jobs/${draft.again}/retry`, { method: "POST", json: request(), headers });
  return withDesigns((ids) => api("/v1/jobs", { method: "POST", json: { ...request(), design_id: ids }, headers }));
}

// --- the same again, with changes ----------------------------------------------------------------------------------

onChange(change);

/** Back to the form with all that the job asked for; what the form has no field for is kept, and said. */
async function change(job) {
  leaveJob();
  const asked = job.request;
  if (sent !== job.id) await designsOf(job);
  const template = templates.find((one) => one.id === asked.template);
  draft.template = template ?? draft.template;
  $("#template").value = draft.template.id;
  draft.layers = asked.placements.map((layer) => ({ ...layer }));
  draft.at = 0;
  draft.preset = asked.preset && draft.template.preset_boxes[asked.preset] ? asked.preset : null;
  if (draft.preset) intoPreset(draft.preset);
  draft.beside = besideForm(asked);
  showBeside();
  colour(asked.fabric_color);
  for (const box of $("#views").querySelectorAll("input")) box.checked = asked.mode !== "animation-only" && asked.views.includes(box.value);
  for (const [id, value] of [["size", asked.size], ["format", asked.format], ["quality", asked.quality], ["background", asked.background_color]]) choose($(`#${id}`), String(value));
  useEngine(asked.engine ?? "cycles");
  $("#product").value = asked.product_id ?? "";
  $("#film").checked = asked.mode !== "images-only";
  $("#model").checked = Boolean(asked.model);
  checkBackground();
  fault("garment", template ? null : `The garment ${asked.template} is not in this farm any more.`, "Choose another.");
  checkOutput();
  checkProduct();
  window.history.replaceState(null, "", "/");
  $("#rendering").hidden = true;
  $("#making").hidden = false;
  showPlace();
  $("#making-title").focus();
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
  const { words } = draft.beside;
  replace($("#beside"), words.length > 0 && make("div", { class: "notice" }, make("strong", {}, "Kept from the last pictures, without a field here"), words.join(", "), ". ",
    make("button", { type: "button", class: "plain", onclick: () => { draft.beside = { members: USUAL, words: [] }; showBeside(); changed(); $("#render").focus(); } }, "Leave these out")));
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
