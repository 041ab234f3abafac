// The list of jobs: filter, look for, choose several, cancel or retry them; live while the page is seen.

import { $, ago, api, frame, made, make, problemNotice, replace, session, statusTag } from "./farm.js";

readAddress();
frame("/jobs");
await session();

const EVERY_MS = 2000;
const LOOKING_EVERY_MS = 10000; // what looks through a thousand jobs is not asked all the time
const LIVE = new Set(["pending", "compositing", "rendering"]);
const chosen = new Map(); // id to job, as it was last seen
let jobs = [];
let cursor = null;
let older = false;

function wanted(after) {
  const query = new URLSearchParams({ limit: "25" });
  if ($("#status").value) query.set("status", $("#status").value);
  if (looked()) query.set("find", looked());
  if (after) query.set("cursor", after);
  return `/v1/jobs?${query}`;
}

function looked() {
  return $("#find").value.trim();
}

/** What is filtered stands in the address: it can be kept, sent to somebody, and gone back to. */
function keepAddress() {
  const query = new URLSearchParams();
  if ($("#status").value) query.set("status", $("#status").value);
  if (looked()) query.set("find", looked());
  window.history.replaceState(null, "", query.size ? `/jobs?${query}` : "/jobs");
}

/** What the address does not say stays as it is: somebody may have chosen it before this script was there. */
function readAddress() {
  const query = new URLSearchParams(location.search);
  if (query.has("status")) $("#status").value = query.get("status");
  if (query.has("find")) $("#find").value = query.get("find");
}

let asked = 0;
async function load() {
  const mine = ++asked;
  const page = await api(wanted());
  if (mine !== asked) return; // another question was asked meanwhile
  jobs = page.jobs;
  cursor = page.cursor;
  for (const job of jobs) if (chosen.has(job.id)) chosen.set(job.id, job);
  // Nothing is taken from under the hands of somebody who is at the list; only what may be done with it is told anew.
  if ($("#list").contains(document.activeElement)) showBulk();
  else show();
}

async function count() {
  const stats = await api("/v1/stats");
  const words = [`${stats.live} running or waiting`, `${stats.jobs.completed} completed`, `${stats.jobs.failed} failed`];
  if (stats.compensation_pending) words.push(`${stats.compensation_pending} not wholly undone`);
  $("#counts").textContent = words.join(" · ");
}

function row(job) {
  const gone = job.phase === "ended" && job.status !== "completed"; // how far it came is of no use to anybody
  const first = job.views.find((view) => view.url);
  const box = make("input", { type: "checkbox", "aria-label": `Choose ${job.id}`, checked: chosen.has(job.id) });
  box.addEventListener("change", () => { box.checked ? chosen.set(job.id, job) : chosen.delete(job.id); showBulk(); });
  return make("tr", {},
    make("td", {}, box),
    make("td", {}, first ? make("img", { class: "thumb", src: new URL(first.url).pathname, alt: "", loading: "lazy" }) : make("div", { class: "thumb" })),
    make("td", { class: "wide" }, make("a", { href: `/jobs/${job.id}` }, job.product_id ?? "no product"), make("div", { class: "small quiet mono" }, job.id)),
    make("td", {}, statusTag(job), job.error && job.status === "failed" && make("div", { class: "small quiet" }, job.error.code)),
    make("td", {}, !gone && make("div", { class: "bar", role: "progressbar", "aria-label": "Progress", "aria-valuenow": Math.round(job.progress), "aria-valuemin": 0, "aria-valuemax": 100 },
      make("i", { vars: { width: `${job.progress}%` } })), make("div", { class: "small quiet" }, gone ? (job.compensation_pending ? "not wholly undone" : "") : made(job))),
    make("td", { class: "small quiet" }, ago(job.created_at)));
}

function show() {
  $("#none").hidden = jobs.length > 0;
  const filtered = $("#status").value || looked();
  replace($("#none"), make("p", {}, !filtered ? "No jobs yet." : looked() ? `${cursor ? "None of the newest jobs" : "No job"} has “${looked()}” in its id or its product.` : "No such jobs."),
    filtered ? null : make("a", { class: "button", href: "/" }, "Make the first pictures"));
  $("#more").hidden = !cursor;
  $("#more button").textContent = looked() ? "Look further back" : "Show older jobs";
  replace($("#list"), jobs.length > 0 && make("table", { class: "cards picks" },
    make("thead", {}, make("tr", {}, make("th", {}, everything()), make("th", {}, make("span", { class: "sr" }, "Picture")),
      ["Product", "Status", "Progress", "Created"].map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, jobs.map(row))));
  showBulk();
}

/** Of the chosen ones those that run, or those that have ended: only these can be cancelled, or tried again. */
function chosenOf(live) {
  return [...chosen.values()].filter((job) => (job.phase !== "ended") === live).map((job) => job.id);
}

function offer(button, word, count) {
  button.hidden = count === 0;
  button.textContent = count === chosen.size ? word : `${word}: ${count} of ${chosen.size}`;
}

/** Chooses all that are shown, or none. */
function everything() {
  const box = make("input", { type: "checkbox", "aria-label": "Choose all shown", checked: jobs.length > 0 && jobs.every((job) => chosen.has(job.id)) });
  box.addEventListener("change", () => {
    for (const job of jobs) box.checked ? chosen.set(job.id, job) : chosen.delete(job.id);
    show();
    $("#list input")?.focus();
  });
  return box;
}

function showBulk() {
  $("#bulk").hidden = chosen.size === 0;
  $("#chosen").textContent = `${chosen.size} chosen`;
  offer($("#bulk-cancel"), "Cancel", chosenOf(true).length);
  offer($("#bulk-retry"), "Try again", chosenOf(false).length);
  const status = $("#status").value;
  $("#sweep").hidden = !status || status === "completed" || jobs.length === 0;
  $("#sweep").textContent = LIVE.has(status) ? `Cancel all that are ${status}` : `Try all ${status} again`;
}

const AT_ONCE = 4;
const MOST = 2000;

/** Cancels or tries again, some at a time; says how far it is, and what could not be done. */
async function all(what, ids) {
  const problems = [];
  const left = [...ids];
  const tell = () => { $("#chosen").textContent = `${ids.length - left.length} of ${ids.length} …`; };
  const work = async () => {
    while (left.length) {
      const id = left.shift();
      await api(`/v1/jobs/${id}/${what}`, { method: "POST", json: {} }).catch((problem) => problems.push([id, problem]));
      tell();
    }
  };
  for (const button of $("#bulk").querySelectorAll("button")) button.disabled = true;
  $("#bulk").hidden = false;
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  for (const button of $("#bulk").querySelectorAll("button")) button.disabled = false;
  chosen.clear();
  const done = ids.length - problems.length;
  replace($("#said"), make("p", { class: "notice", role: "status" }, `${done} of ${ids.length} ${what === "retry" ? "are tried again" : "will be cancelled"}.`),
    problems.slice(0, 5).map(([id, problem]) => problemNotice({ message: `${id}: ${problem.message}`, hint: problem.hint })),
    problems.length > 5 && make("p", { class: "small" }, `… and ${problems.length - 5} more.`));
  await refresh();
}

/** Every job that the filter finds, shown or not. */
async function allFound() {
  const ids = [];
  let after = null;
  do {
    const page = await api(wanted(after));
    ids.push(...page.jobs.map((job) => job.id));
    after = page.cursor;
  } while (after && ids.length < MOST);
  return ids;
}

$("#sweep").addEventListener("click", async () => {
  const what = LIVE.has($("#status").value) ? "cancel" : "retry";
  const ids = await allFound();
  const words = what === "retry" ? `Try all ${ids.length} again?` : `Cancel all ${ids.length}?`;
  if (ids.length && confirm(words)) await all(what, ids);
});

async function refresh() {
  keepAddress();
  try {
    await Promise.all([older ? null : load(), count()]);
  } catch (problem) {
    replace($("#said"), problemNotice(problem));
  }
}

$("#bulk-cancel").addEventListener("click", () => all("cancel", chosenOf(true)));
$("#bulk-retry").addEventListener("click", () => all("retry", chosenOf(false)));
$("#status").addEventListener("change", () => { older = false; refresh(); });
let waiting = 0;
$("#find").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => { older = false; refresh(); }, 250); });
$("form").addEventListener("submit", (event) => event.preventDefault());
$("#more button").addEventListener("click", async () => {
  const page = await api(wanted(cursor));
  jobs = [...jobs, ...page.jobs];
  cursor = page.cursor;
  older = true;
  show();
});
await refresh();
let told = performance.now();
setInterval(() => {
  if (document.hidden) return;
  if (looked() && performance.now() - told < LOOKING_EVERY_MS) return;
  told = performance.now();
  refresh();
}, EVERY_MS);
