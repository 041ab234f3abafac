// The operator's page: machines and what each renders, the queue, the last hour, and what needs a person; live.

import { $, ago, api, frame, make, problemNotice, replace, session, took, VIEWS } from "./farm.js";

frame("/cluster");
await session();

const EVERY_MS = 2000;
const busy = new Set();
const pictures = new Map();

function show(seen) {
  const gpus = seen.nodes.reduce((sum, node) => sum + node.gpus, 0);
  const waiting = seen.queue.reduce((sum, one) => sum + one.count, 0);
  $("#summary").textContent = !seen.seen ? "No coordinator has told of itself lately: is the farm up?"
    : [many(seen.nodes.length, "node"), gpus ? many(gpus, "GPU") : "no GPUs", many(seen.slots, "view") + " at once"].join(" · ");
  const recent = seen.recent;
  figures({
    "Views rendering": `${seen.views_running} of ${seen.slots}`,
    "Views waiting": seen.views_waiting,
    "Jobs under way": seen.leased,
    "Jobs waiting": waiting,
    "Ended in the last hour": recent.ended,
    "Of these failed": [recent.failure_rate === null ? "–" : `${(recent.failure_rate * 100).toFixed(recent.failure_rate && recent.failure_rate < 0.1 ? 1 : 0)} %`, recent.failed > 0],
    "Half were done in": took(recent.seconds.p50) || "–",
    "90 of 100 in": took(recent.seconds.p90) || "–",
    "99 of 100 in": took(recent.seconds.p99) || "–",
    ...(seen.lapsed ? { "Jobs nobody drives": [seen.lapsed, true] } : {}),
  });
  fill("#nodes", seen.nodes.length ? seen.nodes.map(node) : make("li", { class: "card empty" }, "No node is known."));
  fill("#queue", queue(seen.queue));
  fill("#hands", hands(seen.coordinators ?? []));
  $("#troubled").hidden = seen.troubled.length === 0 && !$("#troubles").contains(document.activeElement);
  fill("#troubles", seen.troubled.length > 0 && troubles(seen.troubled));
}

/** New content for a part of the page, unless somebody stands in it with the keyboard: it would be taken away from them. */
function fill(selector, ...children) {
  const place = $(selector);
  if (place === document.activeElement || !place.contains(document.activeElement)) replace(place, ...children);
}

const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function figures(named) {
  replace($("#figures"), Object.entries(named).map(([name, given]) => {
    const [value, bad] = Array.isArray(given) ? given : [given, false];
    return make("div", { class: bad ? "bad" : false }, make("dt", {}, name), make("dd", {}, String(value)));
  }));
}

function node(one) {
  const parts = [many(one.cpus, "core"), one.gpus ? `${one.gpus} × ${one.gpu_type || "GPU"}` : null, `${(one.memory_bytes / 2 ** 30).toFixed(0)} GB`];
  const [word, kind] = one.trouble ? ["not used", "ill"] : one.avoided ? ["left alone after failures", "ill"]
    : one.views.length ? ["rendering", "busy"] : [one.slots ? "idle" : "renders nothing", ""];
  const free = one.trouble ? 0 : Math.max(0, one.slots - one.views.length);
  return make("li", { class: "card node" },
    make("header", {}, make("div", {}, make("h3", {}, one.host), make("p", {}, parts.filter(Boolean).join(" · "))),
      make("span", { class: `word ${kind}` }, word)),
    (one.trouble || (one.avoided && one.ailment)) && make("p", { class: "why" }, one.trouble || one.ailment),
    make("ul", { class: "slots", "aria-label": `What ${one.host} renders` }, one.views.map(view),
      Array.from({ length: Math.min(free, 4) }, () => make("li", { class: "free" }, make("div", { class: "thumb empty-slot" }), "free")),
      free > 4 && make("li", { class: "free" }, make("div", {}), `and ${free - 4} more free`)));
}

function view(one) {
  const share = Math.round(one.fraction * 100);
  const name = VIEWS[one.view] ?? one.view.replace("_", " ");
  return make("li", {},
    one.picture_url ? picture(`${one.job_id} ${one.view}`, new URL(one.picture_url).pathname) : make("div", { class: "thumb" }),
    make("div", {}, make("a", { href: `/jobs/${one.job_id}` }, one.product_id ?? one.job_id), make("div", { class: "small quiet" }, `${name}, ${one.phase}`),
      make("div", { class: "bar", role: "progressbar", "aria-label": `${name} of ${one.product_id ?? one.job_id}`, "aria-valuenow": share, "aria-valuemin": 0, "aria-valuemax": 100 },
        make("i", { vars: { width: `${share}%` } }))),
    make("span", { class: "share" }, `${share} %`));
}

/**
 * The same element for the same picture in the same place: made anew every two seconds, it would flicker and be fetched
 * again. All views of a job show one picture, and an element can be in one place only.
 */
function picture(place, address) {
  const key = `${place} ${address}`;
  if (!pictures.has(key)) pictures.set(key, make("img", { class: "thumb", src: address, alt: "The last finished view of this job" }));
  if (pictures.size > 500) pictures.delete(pictures.keys().next().value);
  return pictures.get(key);
}

function table(columns, rows, kind = false) {
  return make("table", { class: kind }, make("thead", {}, make("tr", {}, columns.map((name) => make("th", { scope: "col" }, name)))), make("tbody", {}, rows));
}

function queue(waiting) {
  if (!waiting.length) return make("p", { class: "quiet" }, "Nothing waits.");
  return table(["Priority", "Jobs", "The next has waited"],
    waiting.map((one) => make("tr", {}, make("td", {}, String(one.priority)), make("td", {}, String(one.count)), make("td", {}, took(one.oldest_s) || "–"))));
}

function hands(coordinators) {
  if (!coordinators.length) return make("p", { class: "quiet" }, "None has told of itself in the last quarter of a minute.");
  return table(["Name", "Jobs", "At most", "Told"],
    coordinators.map((one) => make("tr", {}, make("td", { class: "mono" }, one.name.replace(/^coordinator-[0-9a-f]+-/, "shard ")), make("td", {}, String(one.jobs)),
      make("td", {}, String(one.concurrency ?? "–")), make("td", {}, one.age_s < 5 ? "just now" : took(one.age_s) + " ago"))));
}

const KINDS = { compensation_pending: "not wholly undone", stuck: "stuck" };

function troubles(jobs) {
  return table(["Job", "What", "Since", ""], jobs.map((job) => make("tr", {},
    make("td", { class: "wide" }, make("a", { href: `/jobs/${job.id}` }, job.product_id ?? "no product"), make("div", { class: "small quiet mono" }, job.id)),
    make("td", { class: "wide" }, KINDS[job.kind] ?? job.kind, make("div", { class: "small quiet" }, job.message)),
    make("td", { class: "small quiet" }, ago(job.since)),
    make("td", {}, job.kind === "compensation_pending"
      ? make("button", { "data-job": job.id, disabled: busy.has(attempt(job)), onclick: () => finish(job) }, busy.has(attempt(job)) ? "Undoing …" : "Finish undoing")
      : make("button", { onclick: () => cancel(job) }, "Cancel")))), "cards");
}

const attempt = (job) => `${job.id} ${job.since}`;

async function finish(job) {
  busy.add(attempt(job));
  for (const button of document.querySelectorAll(`[data-job="${job.id}"]`)) { button.disabled = true; button.textContent = "Undoing …"; }
  // A coordinator takes it up: the row goes, or comes back with a later time when it could still not be undone.
  if (!await act(`/v1/jobs/${job.id}/compensate`)) busy.delete(attempt(job));
  document.activeElement?.blur();
  await refresh();
}

async function cancel(job) {
  await act(`/v1/jobs/${job.id}/cancel`);
  document.activeElement?.blur();
  await refresh();
}

async function act(address) {
  try {
    await api(address, { method: "POST", json: {} });
    replace($("#said"));
    return true;
  } catch (problem) {
    replace($("#said"), problemNotice(problem));
    return false;
  }
}

let failing = false;
async function refresh() {
  try {
    show(await api("/v1/cluster"));
    if (failing) replace($("#said"));
    failing = false;
  } catch (problem) {
    failing = true;
    replace($("#said"), problemNotice(problem));
  }
}

await refresh();
setInterval(() => { if (!document.hidden) refresh(); }, EVERY_MS);
