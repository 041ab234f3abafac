// One job: its pictures, its saga as a timeline, its request.

import { downloads, extras, history } from "./results.js";
import { $, ago, api, follow, frame, gathered, make, money, problemNotice, renew, replace, session, statusTag, took, VIEWS, zoom } from "./farm.js";
import { layerWords } from "./layers.js";

frame("/jobs");
await session();

const id = location.pathname.split("/").pop();
let finished = false;
const WORDS = {
  finished: "", running: "running", waiting: "failed, will be tried again", exhausted: "failed", undoing: "being undone",
  undo_waiting: "undoing failed, will be tried again", stuck: "could not be undone", undone: "undone",
};
const STEPS = {
  create_job: "Accepted", upload_design: "Design stored", compose_design: "Design composed", render_design: "Views rendered",
  store_outputs: "Pictures stored", associate_media: "Attached to the product", complete_job: "Completed",
};

async function load() {
  try {
    const job = await api(`/v1/jobs/${encodeURIComponent(id)}`);
    show(job);
    return job;
  } catch (problem) {
    replace($("#said"), problemNotice(problem));
    throw problem;
  }
}

function show(job) {
  const ended = job.phase === "ended";
  const gone = job.phase === "compensating" || (ended && job.status !== "completed");
  document.title = `${job.product_id ?? "Job"} · Render farm`;
  $("#title").textContent = job.product_id ?? "Job without a product";
  $("#id").textContent = job.id;
  renew($("#tools"), [job.id, job.status, job.phase], () => [statusTag(job),
    !ended && make("button", { onclick: () => act(job, "cancel") }, "Cancel"),
    ended && make("button", { onclick: () => act(job, "retry") }, job.status === "completed" ? "Render again" : "Try again"),
    ended && make("button", { class: "plain", onclick: () => forget(job) }, "Delete")]);
  replace($("#said"),
    job.error && job.status === "failed" && problemNotice({ message: job.error.message, hint: job.error.hint }),
    gone && ended && !job.compensation_pending && make("p", { class: "quiet" }, "Everything was undone: no picture is left."),
    gone && !ended && make("p", { class: "quiet" }, "What was made is being undone."),
    job.compensation_pending && make("div", { class: "notice bad" }, make("strong", {}, "Not everything could be undone."), "An operator finishes it with ", make("code", {}, `farm jobs compensate ${job.id}`)),
    !gone && (job.warnings ?? []).map((warning) => make("div", { class: "notice" }, warning.message)));
  replace($("#gallery"), gone ? null : job.views.map(kept));
  if (ended && !finished) {
    finished = true;
    replace($("#beside"), extras(job));
    replace($("#kept"), downloads(job));
    history(job).then((section) => replace($("#earlier"), section));
  }
  replace($("#line"), job.steps.map((one) => step(one, job)));
  replace($("#line-words"), job.steps.length === 0 && job.run
    ? make("div", { class: "go" }, make("p", { class: "quiet" }, "Made in one go with other rows of a catalogue."), make("a", { class: "button", href: `/catalog/${job.run.id}` }, "To the run")) : null);
  const request = job.request;
  const rows = {
    Created: `${ago(job.created_at)} (${new Date(job.created_at).toLocaleString()})`, Template: `${job.template.id} ${job.template.version}`,
    Asked: asked(request), Place: request.preset ?? make("span", {}, request.placements.map((layer) => make("span", { class: "block" }, layerWords(layer)))), Fabric: make("span", {}, make("i", { class: "dot", vars: { "--colour": request.fabric_color } }), ` ${request.fabric_color}`), Background: request.background_color,
    Size: `${request.size} px, ${request.format.toUpperCase()}`, Quality: [job.engine.chosen, job.engine.film].includes("cycles") ? `${request.samples} samples` : null, Engine: engine(job.engine), Cost: job.cost ? money(job.cost, job.currency) : null,
    "Retry of": job.retried_from && make("a", { href: `/jobs/${job.retried_from}`, class: "mono" }, job.retried_from),
    "Replaced by": job.superseded_by && make("a", { href: `/jobs/${job.superseded_by}`, class: "mono" }, job.superseded_by),
  };
  replace($("#facts"), Object.entries(rows).filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function asked(request) {
  const stills = request.mode === "animation-only" ? 0 : request.views.length;
  return [stills && `${stills} ${stills === 1 ? "view" : "views"}`, request.mode !== "images-only" && "turntable film", request.model && "3D model"].filter(Boolean).join(", ");
}

function engine(by) {
  const other = by.asked === by.chosen ? "" : ` (asked for ${by.asked})`;
  return [`${by.chosen}${other}`, by.bake && `bake ${by.bake}`, by.why].filter(Boolean).join(", ");
}

const cards = new Map();

/** The card of a view, the same as long as nothing of it changed: what stands there does not come in anew. */
function kept(view) {
  const facts = JSON.stringify([view.url, view.preview_url, view.status, view.attempts, view.seconds]);
  if (cards.get(view.view)?.facts !== facts) cards.set(view.view, { facts, card: picture(view) });
  return cards.get(view.view).card;
}

function picture(view) {
  const name = VIEWS[view.view];
  const address = view.url ?? view.preview_url;
  const url = address ? new URL(address).pathname : null;
  const open = make("button", { class: "frame", disabled: !url, "aria-label": url ? `${name}: look closer` : `${name}, ${view.status}` },
    url ? make("img", { src: url, alt: `${name} of the printed garment`, loading: "lazy" }) : make("span", { class: "quiet" }, view.status));
  if (url) open.addEventListener("click", () => zoom(name, url, url.split("/").pop()));
  const told = [!view.url && url && "preview", view.cached && "kept from before", view.seconds && took(view.seconds), view.attempts > 1 && `${view.attempts} attempts`, view.report?.device].filter(Boolean).join(" · ");
  return make("li", { class: "card shot" }, make("figure", {}, open, make("figcaption", {}, name, make("span", { class: "quiet" }, told))));
}

/** A step on the line: when, how long, how often tried, what went wrong, and whether it was undone. */
function step(one, job) {
  const lasted = one.finished_at && one.started_at ? took((new Date(one.finished_at) - new Date(one.started_at)) / 1000) : "";
  const facts = [WORDS[one.status] ?? one.status, lasted, one.attempts > 1 && `${one.attempts} attempts`].filter(Boolean).join(" · ");
  const views = one.step === "render_design" ? job.views.filter((view) => view.attempts > 0 || view.cached) : [];
  return make("li", { class: one.status }, make("div", { class: "step" },
    make("b", {}, STEPS[one.step] ?? one.step), make("span", { class: "quiet small" }, facts),
    make("time", { class: "quiet small", datetime: one.started_at }, new Date(one.started_at).toLocaleTimeString())),
    views.length > 0 && make("ul", { class: "views" }, views.map((view) => make("li", {},
      make("span", {}, VIEWS[view.view] ?? view.view), make("span", { class: "quiet" }, [view.cached ? "kept from before" : view.status, view.seconds !== null && took(view.seconds), view.attempts > 1 && `${view.attempts} attempts`].filter(Boolean).join(" · ")),
      view.error && make("div", { class: "small" }, make("code", {}, view.error.code), ` ${view.error.message ?? ""}`)))),
    one.error && make("div", { class: "small fault" }, make("code", {}, one.error.code), ` ${one.error.message}`));
}

$("#log").addEventListener("toggle", () => { if ($("#log").open) readLog(); });

async function readLog() {
  const answer = await api(`/v1/jobs/${encodeURIComponent(id)}/log?tail=400`).catch((problem) => new Blob([problem.message]));
  const pane = $("#log pre");
  const below = pane.scrollTop + pane.clientHeight >= pane.scrollHeight - 8;
  pane.textContent = await answer.text();
  if (below) pane.scrollTop = pane.scrollHeight;
}

async function act(job, what) {
  try {
    // A completed job is rendered again because somebody wants it made anew, a failed one for what is missing.
    const anew = what === "retry" && job.status === "completed" ? "?force=true" : "";
    const next = await api(`/v1/jobs/${job.id}/${what}${anew}`, { method: "POST", json: {} });
    if (what === "retry") location.assign(`/?job=${next.id}`);
    else await load();
  } catch (problem) {
    replace($("#said"), problemNotice(problem));
  }
}

async function forget(job) {
  if (!confirm(`Delete ${job.id}, its pictures and its media entries?`)) return;
  try {
    await api(`/v1/jobs/${job.id}`, { method: "DELETE" });
    location.assign("/jobs");
  } catch (problem) {
    replace($("#said"), problemNotice(problem));
  }
}

$("#gallery").classList.add("still");
const first = await load();
setTimeout(() => $("#gallery").classList.remove("still"), 1000);
if (first.phase !== "ended") {
  const news = gathered(async () => {
    await load();
    if ($("#log").open) await readLog();
  });
  follow(`/v1/jobs/${encodeURIComponent(id)}/events`, news);
}
