// Catalogue runs: the list, and a new run: choose a manifest, see what it would do, start it.

import { $, ago, api, duration, frame, make, money, problemNotice, replace, session } from "./farm.js";
import { runTag } from "./runs.js";

frame("/catalog");
const { currency, manifest_max_bytes: most } = await session();

const EVERY_MS = 2000;
let runs = [];
let cursor = null;
let older = false;
let chosen = null;
let checked = null;

// --- the list ------------------------------------------------------------------------------------------------------

async function load() {
  const page = await api("/v1/catalog-runs?limit=25");
  runs = page.runs;
  cursor = page.cursor;
  show();
}

function show() {
  $("#none").hidden = runs.length > 0;
  $("#more").hidden = !cursor;
  replace($("#list"), runs.length > 0 && make("table", { class: "cards" },
    make("thead", {}, make("tr", {}, ["Run", "Status", "Progress", "Failed", "Created"].map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, runs.map(row))));
}

function row(run) {
  return make("tr", {},
    make("td", { class: "wide" }, make("a", { href: `/catalog/${run.id}` }, run.name), make("div", { class: "small quiet" }, run.manifest.split("/").pop())),
    make("td", {}, runTag(run)),
    make("td", {}, make("div", { class: "bar", role: "progressbar", "aria-label": `Progress of ${run.name}`, "aria-valuenow": Math.round(run.progress), "aria-valuemin": 0, "aria-valuemax": 100 },
      make("i", { vars: { width: `${run.progress}%` } })), make("div", { class: "small quiet" }, `${run.rows_made.toLocaleString()} of ${run.rows.toLocaleString()} rows`)),
    make("td", { class: run.counts.failed ? "" : "quiet" }, run.counts.failed.toLocaleString(), make("span", { class: "sr" }, " failed")),
    make("td", { class: "small quiet" }, ago(run.created_at)));
}

async function refresh() {
  try {
    if (!older) await load();
    replace($("#runs-said"));
  } catch (problem) {
    replace($("#runs-said"), problemNotice(problem));
  }
}

$("#more button").addEventListener("click", async () => {
  const page = await api(`/v1/catalog-runs?limit=25&cursor=${encodeURIComponent(cursor)}`);
  runs = [...runs, ...page.runs];
  cursor = page.cursor;
  older = true;
  show();
});

// --- a new run -----------------------------------------------------------------------------------------------------

const drop = $("#drop");
$("#file").addEventListener("change", (event) => take(event.target.files[0]));
for (const kind of ["dragover", "dragenter"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files[0]); });
$("#url").addEventListener("input", () => changed());
$("form").addEventListener("change", () => changed());
changed(); // an address that was typed before this was listened for, or kept by the browser over a reload
take($("#file").files[0]); // and so a file

function take(file) {
  if (!file) return;
  $("#file").value = ""; // the same file, changed meanwhile, would else be no choice to the browser
  const large = file.size > most;
  replace($("#file-said"), large && problemNotice({
    message: `${file.name} has ${(file.size / 1e6).toFixed(1)} MB; a form takes ${(most / 1e6).toFixed(1)} MB.`, hint: "Pack it with gzip, or give its address.",
  }));
  if (large) return;
  chosen = file;
  $("#drop-words").textContent = file.name;
  $("#drop-facts").textContent = `${(file.size / 1e6).toFixed(2)} MB. Choose again to change it.`;
  $("#url").value = "";
  changed();
}

/** What was checked is not what would start any more. */
function changed() {
  checked = null;
  $("#check").disabled = !chosen && !$("#url").value.trim();
  $("#check").hidden = false;
  $("#start").hidden = true;
  replace($("#plan"));
}

function body() {
  const defaults = {};
  for (const name of ["engine", "quality"]) if ($(`#${name}`).value) defaults[name] = $(`#${name}`).value;
  if ($("#size").value) defaults.size = Number($("#size").value);
  if ($("#views").value) defaults.views = $("#views").value.split(" ");
  const wanted = { defaults, force: $("#force").checked };
  if ($("#name").value.trim()) wanted.name = $("#name").value.trim();
  if ($("#share").value !== "") wanted.max_failure_share = Number($("#share").value) / 100;
  return wanted;
}

async function send(query, headers = {}) {
  const url = $("#url").value.trim();
  if (url) return api(`/v1/catalog-runs${query}`, { method: "POST", json: { ...body(), manifest_url: url }, headers });
  const form = new FormData();
  form.append("manifest", chosen, chosen.name);
  form.append("request", JSON.stringify(body()));
  return api(`/v1/catalog-runs${query}`, { method: "POST", body: form, headers });
}

async function busy(button, work) {
  const words = button.textContent;
  button.disabled = true;
  button.textContent = "One moment …";
  replace($("#said"));
  try {
    await work();
  } catch (problem) {
    replace($("#said"), problemNotice(problem));
  } finally {
    button.textContent = words;
    button.disabled = false;
  }
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!chosen && !$("#url").value.trim()) return;
  busy($("#check"), async () => {
    const plan = await send("?dry_run=true");
    checked = crypto.randomUUID();
    showPlan(plan);
  });
});

$("#start").addEventListener("click", () => busy($("#start"), async () => {
  const run = await send("", { "Idempotency-Key": checked });
  location.assign(`/catalog/${run.id}`);
}));

function showPlan(plan) {
  const tiles = [
    ["to render", plan.to_render.toLocaleString(), ""], ["unchanged", plan.unchanged.toLocaleString(), ""],
    ["bad rows", plan.bad.toLocaleString(), plan.bad ? "bad" : ""], ["pictures", plan.views.toLocaleString(), ""],
    [`about, on ${plan.cores} cores`, duration(plan.seconds) || "0 s", ""], ["about, in cost", money(plan.cost, currency), ""],
  ];
  const fault = (one, kind) => make("li", { class: kind }, make("b", {}, one.row ? `Row ${one.row}` : "Manifest"), one.column ? ` · ${one.column}` : "",
    make("div", {}, one.message), make("div", { class: "quiet" }, one.hint));
  const said = [...plan.notes.map((one) => fault(one, "note")), ...plan.faults.filter((one) => one.row).map((one) => fault(one, ""))];
  replace($("#plan"),
    make("dl", { class: "tiles" }, tiles.map(([name, value, kind]) => make("div", { class: kind }, make("dt", {}, name), make("dd", {}, value)))),
    plan.unknown > 0 && make("p", { class: "small quiet" }, `${plan.unknown.toLocaleString()} designs lie on other servers and were not looked at; what is unchanged there will be found when the run comes to it.`),
    said.length > 0 && make("ul", { class: "faults", tabindex: 0, "aria-label": "What is wrong with rows" }, said),
    plan.bad > 0 && make("p", { class: "small" }, "Bad rows are reported and skipped; they stop nothing."));
  $("#start").hidden = plan.rows === 0;
  $("#check").hidden = !$("#start").hidden;
  if (!$("#start").hidden) $("#start").focus();
}

await refresh();
setInterval(() => { if (!document.hidden && !$("#list").contains(document.activeElement)) refresh(); }, EVERY_MS);
