// What every page shares: the session, the API, events, and small builders. Nothing is written as HTML from data.

export class Problem extends Error {
  constructor(status, body, after_s = 0) {
    super(body.detail ?? `The farm answered ${status}.`);
    this.status = status;
    this.code = body.code ?? "http_error";
    this.hint = body.hint ?? "";
    this.retryable = body.retryable ?? false;
    this.errors = body.errors ?? [];
    this.after_s = after_s; // so long the farm asks to wait, where it does
  }
}

let csrf = "";

export async function session() {
  const answer = await fetch("/session");
  if (answer.status === 401) {
    location.replace(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    await new Promise(() => {}); // the page is about to go
  }
  if (!answer.ok) throw new Problem(answer.status, await readBody(answer));
  const found = await answer.json();
  csrf = found.csrf;
  return found;
}

async function readBody(answer) {
  try {
    return await answer.json();
  } catch {
    return {};
  }
}

export async function api(path, options = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  if (options.method && options.method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (options.json !== undefined) {
    headers["Content-Type"] = "application/json";
    options = { ...options, body: JSON.stringify(options.json) };
  }
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new Problem(0, {
      code: "unreachable", detail: "The farm does not answer.", retryable: true,
      hint: "Check that it is up, then try again.",
    });
  }
  if (answer.status === 401) await session();
  if (!answer.ok) throw new Problem(answer.status, await readBody(answer), Number(answer.headers.get("retry-after")) || 0);
  if (answer.status === 204) return null;
  const kind = answer.headers.get("content-type") ?? "";
  return kind.includes("json") ? answer.json() : answer.blob();
}

const KINDS = [
  "created", "compositing", "rendering", "progress", "view_completed", "preview_ready", "compensating", "completed",
  "failed", "cancelled",
];

const AGAIN_MS = 5000;

/**
 * Follow a job: `heard(kind, data)` for each event, `moved(data)` for progress between them. The browser itself resumes
 * a stream that was cut; one that was refused, because the farm was away or the key was spent, is asked for again.
 */
export function follow(url, heard, moved = () => {}) {
  let source;
  let waiting = 0;
  const open = () => {
    source = new EventSource(new URL(url, location.href).pathname);
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) waiting = setTimeout(open, AGAIN_MS * (1 + Math.random()));
    });
    for (const kind of KINDS) {
      source.addEventListener(`render.job.${kind}`, (event) => {
        const data = JSON.parse(event.data);
        if (!data.sequence) moved(data);
        else heard(kind, data);
        if (["completed", "failed", "cancelled"].includes(kind)) source.close();
      });
    }
  };
  open();
  return () => { clearTimeout(waiting); source.close(); };
}

const LOAD_MS = 1500;

/**
 * `load` as often as there is news, but one at a time, not twice within a moment, and not while nobody looks: many events
 * and many open pages then ask the farm no more than a few times. Answers a function to be called with each news.
 */
export function gathered(load, everyMs = LOAD_MS) {
  let wanted = false;
  let busy = false;
  let last = 0;
  const go = async () => {
    if (busy || !wanted || document.hidden) return;
    busy = true;
    await new Promise((resume) => setTimeout(resume, Math.max(50, last + everyMs - performance.now())));
    wanted = false;
    last = performance.now();
    try {
      await load();
    } catch {
      // It has said so on the page itself; the next news tries again.
    }
    busy = false;
    go();
  };
  document.addEventListener("visibilitychange", go);
  return () => { wanted = true; go(); };
}

/** An element: `make("p", {class: "quiet"}, "text", child)`; values are set as text and attributes, never parsed. */
export function make(name, attributes = {}, ...children) {
  const svg = SVG.has(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "vars") for (const [variable, text] of Object.entries(value)) element.style.setProperty(variable, text);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
const SVG = new Set(["svg", "g", "path", "polygon", "rect", "circle", "image", "line", "title"]);

export const $ = (selector, root = document) => root.querySelector(selector);

export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat().filter(Boolean));
}

/**
 * What `build` answers, in place of what was there, unless the `facts` it is made of are those from before: what is told
 * anew all the time takes no button from under somebody's keyboard.
 */
export function renew(parent, facts, build) {
  const now = JSON.stringify(facts);
  if (parent.dataset.facts === now) return;
  parent.dataset.facts = now;
  replace(parent, ...build());
}

export const VIEWS = {
  front_0deg: "Front",
  left_90deg: "Left side",
  right_270deg: "Right side",
  back_180deg: "Back",
  front_45deg_left: "Front, from the left",
  front_45deg_right: "Front, from the right",
};

export function ago(when) {
  const seconds = Math.max(0, (Date.now() - new Date(when)) / 1000);
  if (seconds < 60) return "just now";
  for (const [size, unit] of [[60, "min"], [3600, "h"], [86400, "d"]].reverse()) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
  }
  return "";
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** What something took: finer than what is left of it, since a relit picture takes a tenth of a second. */
export function took(seconds) {
  return typeof seconds === "number" && seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds);
}

export function problemNotice(problem) {
  return make("div", { class: "notice bad", role: "alert" },
    make("strong", {}, problem.message), problem.hint,
    problem.errors?.length
      ? make("ul", {}, problem.errors.map((item) => make("li", {}, make("code", {}, item.pointer), ` ${item.reason}`)))
      : null);
}

/** A cost as people read it, in the operator's currency. */
export function money(cost, currency = "") {
  const unit = currency ? ` ${currency}` : "";
  if (!cost) return `0${unit}`;
  if (cost < 0.0001) return `under 0.0001${unit}`;
  const digits = cost >= 1 ? { minimumFractionDigits: 2, maximumFractionDigits: 2 } : { maximumSignificantDigits: 2 };
  return cost.toLocaleString(undefined, digits) + unit;
}

/** What of a job is there, each as far as it was asked for; of one that left nothing behind, nothing. */
export function made(job) {
  if (job.phase === "ended" && job.status !== "completed" && !job.compensation_pending) return "";
  const done = job.views.filter((view) => view.status === "done").length;
  return [
    job.views.length > 0 && `${done} of ${job.views.length} views`,
    job.film && `${job.film.frames_done} of ${job.film.frames} frames`,
    job.model && (job.model.status === "done" ? "3D model" : "no model yet"),
  ].filter(Boolean).join(" · ");
}

export function statusTag(job) {
  const word = job.phase === "compensating" ? "undoing" : job.status;
  return make("span", { class: `tag ${job.status}` }, word);
}

/** A ring that fills; `set(share)` with 0 to 1. */
export function ring() {
  const moving = make("circle", { cx: 32, cy: 32, r: 26 });
  const element = make("svg", { class: "ring", viewBox: "0 0 64 64", "aria-hidden": "true" },
    make("circle", { cx: 32, cy: 32, r: 26 }), moving);
  return { element, set: (share) => { moving.style.strokeDashoffset = String(163.4 * (1 - share)); } };
}

/** A picture large, in a dialog; a click shows its own pixels. */
export function zoom(title, url, name) {
  const picture = make("img", { src: url, alt: title });
  picture.addEventListener("click", () => picture.classList.toggle("big"));
  const dialog = make("dialog", { "aria-label": title },
    make("div", { class: "zoom" },
      make("header", {}, make("h2", {}, title),
        make("a", { class: "button", href: `${url}?redirect=false`, download: name }, "Download"),
        make("button", { class: "plain", onclick: () => dialog.close() }, "Close")),
      make("div", { class: "pane" }, picture)));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
}

// --- the frame around every page ---------------------------------------------------------------------------------

const MARK = "M9 4 3 7.2 1 13l4.6 1.4V28h20.8V14.4L31 13l-2-5.8L23 4c-.8 2.4-3.600 4-7 4S9.800 6.400 9 4Z";

export function frame(current) {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
  const links = [["/", "Create"], ["/jobs", "Jobs"], ["/catalog", "Catalogue"], ["/webhooks", "Webhooks"], ["/cluster", "Cluster"]];
  document.body.prepend(
    make("a", { class: "skip", href: "#main" }, "Skip to content"),
    make("header", { class: "top" },
      make("a", { class: "brand", href: "/", "aria-label": "Render farm, home" },
        make("svg", { viewBox: "0 0 32 32", "aria-hidden": "true" }, make("path", { d: MARK, fill: "currentColor" })),
        make("span", {}, "Render farm")),
      make("nav", { "aria-label": "Main" },
        links.map(([path, name]) => make("a", { href: path, "aria-current": path === current ? "page" : false }, name))),
      make("div", { class: "end" },
        make("button", { class: "plain", onclick: turnTheme }, "Light / dark"),
        make("button", { class: "plain", onclick: logOut }, "Log out"))));
}

function turnTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
}

async function logOut() {
  await fetch("/session", { method: "DELETE" });
  location.assign("/login");
}
