// One catalogue run, live: how far it is, which rows failed and why, its pictures, its report.

import { $, ago, api, duration, frame, make, money, problemNotice, renew, replace, session, took } from "./farm.js";
import { runTag, shareOf } from "./runs.js";

frame("/catalog");
const { currency } = await session();

const EVERY_MS = 1500;
const ROWS_EVERY_MS = 6000;
const SHOWN = 50;
const PICTURES = 24;
const id = location.pathname.split("/").pop();
const here = `/v1/catalog-runs/${encodeURIComponent(id)}`;
let told = { failed: -1, completed: -1, at: 0 };

async function load() {
  const run = await api(here);
  show(run);
  const { failed, completed } = run.counts;
  const due = Date.now() - told.at > ROWS_EVERY_MS || run.finished_at;
  if (due && (failed !== told.failed || completed !== told.completed)) {
    told = { failed, completed, at: Date.now() };
    await Promise.all([showFailures(run), showPictures(run)]);
  }
  return run;
}

function show(run) {
  const { counts } = run;
  document.title = `${run.name} · Render farm`;
  $("#title").textContent = run.name;
  const lasted = run.finished_at ? (new Date(run.finished_at) - new Date(run.created_at)) / 1000 : null;
  $("#words").textContent = run.finished_at
    ? `${counts.completed.toLocaleString()} of ${run.rows.toLocaleString()} rows completed in ${duration(lasted)}.`
    : run.eta_s !== null ? `${run.rows_made.toLocaleString()} of ${run.rows.toLocaleString()} rows made, about ${duration(run.eta_s)} left.` : run.status === "paused" ? "Paused: no more rows are begun." : "Working.";
  const live = !run.finished_at;
  const undone = counts.failed + counts.cancelled + run.skipped;
  renew($("#tools"), [run.status, run.cancel_requested, live, undone > 0], () => [runTag(run),
    live && run.status === "running" && make("button", { onclick: () => act("pause") }, "Pause"),
    live && run.status === "paused" && make("button", { onclick: () => act("resume") }, "Go on"),
    live && !run.cancel_requested && make("button", { onclick: () => act("cancel") }, "Cancel"),
    !live && undone > 0 && make("button", { class: "main", onclick: () => again() }, "Do the others again"),
    make("span", { class: "reports" }, make("span", { class: "small quiet" }, "Report"),
      ["parquet", "csv", "jsonl"].map((form) => make("a", { class: "button", href: `${here}/report?format=${form}`, download: `${run.id}.${form}` }, { parquet: "Parquet", csv: "CSV", jsonl: "JSON" }[form])))]);
  if (run.error) replace($("#said"), problemNotice({ message: run.error.message ?? "The run failed.", hint: run.error.hint ?? "" }));
  const part = (count, kind) => count > 0 && make("i", { class: kind, vars: { "--share": `${shareOf(count, run.rows)}%` } });
  $("#stack").setAttribute("aria-valuenow", Math.round(run.progress));
  replace($("#stack"), part(counts.completed - counts.cached, "done"), part(counts.cached, "kept"), part(counts.failed, "failed"), part(counts.cancelled, "cancelled"));
  const tiles = [
    ["rows made", `${Math.floor(run.progress)} %`, ""], ["completed", counts.completed.toLocaleString(), counts.completed ? "good" : ""],
    ["without rendering", counts.cached.toLocaleString(), ""], ["failed", counts.failed.toLocaleString(), counts.failed ? "bad" : ""],
    ["never begun", run.skipped.toLocaleString(), ""], ["of work", duration(counts.seconds) || "0 s", ""], ["cost", money(counts.cost, currency), ""],
  ];
  replace($("#tiles"), tiles.map(([name, value, kind]) => make("div", { class: kind }, make("dt", {}, name), make("dd", {}, value))));
  const rows = {
    Manifest: run.manifest, Created: `${ago(run.created_at)} (${new Date(run.created_at).toLocaleString()})`, Rows: run.rows.toLocaleString(), Id: make("code", {}, run.id),
    "Again of": run.retry_of && make("a", { href: `/catalog/${run.retry_of}`, class: "mono" }, run.retry_of),
    "Stops after": run.max_failures !== null && `${run.max_failures} failed rows`,
    Why: Object.keys(counts.codes).length > 0 && Object.entries(counts.codes).map(([code, count]) => `${count} ${code}`).join(", "),
  };
  replace($("#facts"), Object.entries(rows).filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

async function showFailures(run) {
  $("#failed").hidden = run.counts.failed === 0;
  if (run.counts.failed === 0) return;
  const { rows } = await api(`${here}/report?only=failed&limit=${SHOWN}`);
  replace($("#failures"), make("table", { class: "cards" },
    make("thead", {}, make("tr", {}, ["Row", "Product", "Why", "What to do"].map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, rows.map((one) => make("tr", {},
      make("td", {}, String(one.row)),
      make("td", {}, one.job_id ? make("a", { href: `/jobs/${one.job_id}` }, one.product_id ?? "no product") : one.product_id ?? "–"),
      make("td", { class: "wide" }, make("code", {}, one.code ?? "failed"), make("div", { class: "small" }, one.message ?? "")),
      make("td", { class: "wide small quiet" }, one.hint ?? ""))))));
  const more = run.counts.failed - rows.length;
  $("#failures-more").hidden = more <= 0;
  $("#failures-more").textContent = `… and ${more.toLocaleString()} more; the report has them all.`;
}

async function showPictures(run) {
  $("#done").hidden = run.counts.completed === 0;
  if (run.counts.completed === 0) return;
  const { rows } = await api(`${here}/report?only=completed&limit=${PICTURES}`);
  replace($("#pictures"), rows.filter((one) => one.job_id && Object.keys(one.outputs).length).map((one) => {
    const [view, url] = Object.entries(one.outputs)[0];
    const name = new URL(url, location.href).pathname.split("/").pop();
    return make("li", { class: "card shot" }, make("a", { href: `/jobs/${one.job_id}` }, make("figure", {},
      make("div", { class: "frame" }, make("img", { src: `/v1/jobs/${one.job_id}/outputs/${outputName(view, name)}`, alt: "", loading: "lazy" })),
      make("figcaption", {}, one.product_id ?? "no product", make("span", { class: "quiet" }, one.cached ? "kept" : took(one.seconds))))));
  }));
}

/** An output's own name: its address may carry an attempt's before it. */
function outputName(view, name) {
  return `${view}.${name.split(".").pop()}`;
}

async function act(what) {
  try {
    await api(`${here}/${what}`, { method: "POST", json: {} });
    await load();
  } catch (problem) {
    replace($("#said"), problemNotice(problem));
  }
}

async function again() {
  try {
    const next = await api(`${here}/retry`, { method: "POST", json: {}, headers: { "Idempotency-Key": crypto.randomUUID() } });
    location.assign(`/catalog/${next.id}`);
  } catch (problem) {
    replace($("#said"), problemNotice(problem));
  }
}

async function tick() {
  let run = null;
  try {
    if (!document.hidden) run = await load();
  } catch (problem) {
    replace($("#said"), problemNotice(problem));
    if (!problem.retryable) return;
  }
  if (!run?.finished_at) setTimeout(tick, EVERY_MS);
}

await tick();
