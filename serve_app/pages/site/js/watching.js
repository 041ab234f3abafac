// A job as it is made, in the page where it was asked for: its pictures one by one, then what can be done with them.

import { $, api, duration, follow, gathered, make, problemNotice, renew, replace, ring, statusTag, took, VIEWS, zoom } from "./farm.js";
import { downloads, extras, history } from "./results.js";

const TITLES = { completed: "Your pictures", failed: "This job failed", cancelled: "Cancelled" };
let leave = () => {};
let change = () => {};
let finished = false;
let farthest = 0;
let shots = new Map();

/** What "Change and render again" does; told the job. */
export function onChange(todo) {
  change = todo;
}

export function leaveJob() {
  leave();
  leave = () => {};
}

/** Show a job from now on; one that has ended is shown as it is, without a show of becoming so. */
export function watch(job) {
  leaveJob();
  finished = false;
  farthest = 0;
  replace($("#kept"));
  replace($("#earlier"));
  replace($("#outcome"));
  window.history.replaceState(null, "", `/?job=${job.id}`);
  $("#making").hidden = true;
  $("#rendering").hidden = false;
  $("#rendering").classList.toggle("still", job.phase === "ended");
  shots = new Map(job.views.map((view) => [view.view, shot(VIEWS[view.view], `${VIEWS[view.view]} of the printed garment`)]));
  if (job.film) shots.set("film", shot("Turntable"));
  if (job.model) shots.set("model", shot("3D model"));
  replace($("#gallery"), [...shots.values()].map((one) => one.element));
  $("#rendering-title").focus();
  show(job);
  if (job.phase === "ended") return;
  const path = new URL(job.status_url).pathname;
  leave = follow(job.events_url, gathered(async () => show(await api(path))), (data) => {
    for (const [view, share] of Object.entries({ ...data.views, model: data.model ?? 0 })) shots.get(view)?.progress(share);
    tellWhole(data.progress, data.eta_s);
  });
}

/** A card that fills: a ring first, a preview where there is one, then the picture. */
function shot(name, alt = "") {
  const meter = ring();
  const open = make("button", { class: "frame", type: "button", disabled: true, "aria-label": `${name}, not rendered yet` }, meter.element);
  const words = make("span", { class: "quiet" }, "waiting");
  const element = make("li", { class: "card shot" }, make("figure", {}, open, make("figcaption", {}, name, words)));
  let shown = null;
  let own = false; // whether what is shown is the view's own picture, no preview
  let most = 0;
  const progress = (share) => {
    most = Math.max(most, share);
    meter.set(most);
    if (!own && most > 0) words.textContent = `${shown ? "preview · " : ""}${Math.round(most * 100)} %`;
  };
  return {
    element,
    progress,
    update(now) {
      progress(now.status === "done" ? 1 : now.progress ?? 0);
      if (!shown && now.status !== "rendering") words.textContent = now.status === "done" ? "done" : now.error ? "trying again" : now.status;
      const url = now.url ?? now.preview_url;
      if (!url || url === shown || !alt) return;
      shown = url;
      own = Boolean(now.url);
      const path = new URL(url, location.href).pathname;
      replace(open, make("img", { src: path, alt }));
      open.disabled = false;
      open.setAttribute("aria-label", `${name}: look closer`);
      open.onclick = () => zoom(name, path, path.split("/").pop());
      words.textContent = now.status !== "done" ? "preview" : now.cached ? "kept from before" : took(now.seconds);
    },
  };
}

function tellWhole(progress, eta) {
  farthest = Math.max(farthest, progress ?? 0); // an answer that comes late takes nothing back
  $("#whole").setAttribute("aria-valuenow", Math.round(farthest));
  $("#whole i").style.width = `${farthest}%`;
  $("#rendering-words").textContent = eta ? `About ${duration(eta)} left.` : "";
}

function words(job) {
  if (job.phase === "compensating") return "What was made is being undone.";
  if (job.phase === "ended") {
    if (job.status === "completed") return job.product_id ? `Attached to ${job.product_id}.` : "";
    return job.compensation_pending ? "Not everything could be undone: an operator has to finish it." : "Everything was undone: no picture is left.";
  }
  return job.status === "pending" ? "Waiting for a free slot." : null;
}

function show(job) {
  const ended = job.phase === "ended";
  const gone = job.phase === "compensating" || (ended && job.status !== "completed");
  for (const view of job.views) shots.get(view.view)?.update(view);
  if (job.film) shots.get("film")?.update({ status: job.film.frames_done === job.film.frames ? "done" : "waiting", progress: job.film.frames_done / job.film.frames });
  if (job.model) shots.get("model")?.update(job.model);
  tellWhole(job.progress, job.eta_s);
  $("#whole").hidden = ended || gone;
  $("#rendering-title").textContent = ended ? TITLES[job.status] : gone ? "Undoing" : "Rendering";
  const told = words(job);
  if (told !== null && !(told === "" && job.eta_s)) $("#rendering-words").textContent = told;
  if (gone) replace($("#gallery"));
  renew($("#rendering-tools"), [job.id, job.status, job.phase], () => [
    statusTag(job),
    !ended && !gone && make("button", { type: "button", onclick: () => act(job, "cancel") }, "Cancel"),
    ended && job.status !== "completed" && make("button", { type: "button", onclick: () => act(job, "retry") }, "Try again"),
    make("a", { class: "button", href: `/jobs/${job.id}` }, "Details"),
    ended && make("button", { type: "button", onclick: () => change(job) }, "Change and render again"),
    ended && make("button", { type: "button", class: "main", onclick: () => location.assign("/") }, "New pictures")]);
  replace($("#outcome"),
    job.error && ended && problemNotice({ message: job.error.message, hint: job.error.hint }),
    (job.warnings ?? []).map((warning) => make("div", { class: "notice" }, warning.message)));
  if (!ended || finished) return;
  finished = true;
  leaveJob();
  for (const name of ["film", "model"]) shots.get(name)?.element.remove();
  if (!gone) $("#gallery").append(...extras(job));
  replace($("#kept"), downloads(job));
  history(job).then((section) => replace($("#earlier"), section));
}

async function act(job, what) {
  try {
    const next = await api(`/v1/jobs/${job.id}/${what}`, { method: "POST", json: {} });
    if (what === "retry") watch(next);
  } catch (problem) {
    replace($("#outcome"), problemNotice(problem));
  }
}
