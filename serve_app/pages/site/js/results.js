// What a job made, beside its stills: film, 3D model, files to download; and what its product had before.

import { ago, api, make, statusTag } from "./farm.js";

const FILM = "animation.mp4";
const MODEL = "model.glb";
const EARLIER = 12;
const PAGES = 4;

function own(url) {
  return new URL(url, location.href).pathname;
}

/** For what a script fetches, and for what is kept under its name: an object store elsewhere would allow neither. */
function bytes(url) {
  return `${own(url)}?redirect=false`;
}

/** Cards for film and model, as far as there are any. */
export function extras(job) {
  const cards = [];
  if (job.outputs[FILM]) {
    cards.push(make("li", { class: "card shot" }, make("figure", {},
      make("video", { src: own(job.outputs[FILM]), controls: true, loop: true, muted: true, playsinline: true, class: "frame", "aria-label": "Turntable film" }),
      make("figcaption", {}, "Turntable"))));
  }
  if (job.outputs[MODEL]) cards.push(viewer(bytes(job.outputs[MODEL])));
  return cards;
}

/** A model is loaded when somebody wants it: the viewer weighs a megabyte. */
function viewer(url) {
  const frame = make("div", { class: "frame model" });
  const open = make("button", { type: "button", class: "plain" }, "Turn it yourself");
  open.addEventListener("click", async () => {
    open.disabled = true;
    self.ModelViewerElement = { dracoDecoderLocation: "/vendor/draco/" };
    await import("/vendor/model-viewer/model-viewer.min.js");
    const model = make("model-viewer", {
      "camera-controls": true, "interaction-prompt": "none", exposure: "0.85", "shadow-intensity": "0.6", "tone-mapping": "neutral",
      "camera-orbit": "0deg 85deg auto", alt: "The printed garment, to be turned", src: url,
    });
    frame.replaceChildren(model);
    model.addEventListener("load", () => model.focus(), { once: true });
  });
  frame.append(open);
  return make("li", { class: "card shot" }, make("figure", {}, frame, make("figcaption", {}, "3D model")));
}

/** Every file of the job, to be kept. */
export function downloads(job) {
  const names = Object.keys(job.outputs);
  if (!names.length) return null;
  const link = (name, url) => make("a", { class: "button", href: url, download: name }, name);
  return make("section", { class: "card pad", "aria-labelledby": "downloads-title" },
    make("h2", { id: "downloads-title" }, "Downloads"),
    make("div", { class: "files" }, names.map((name) => link(name, bytes(job.outputs[name]))),
      link("manifest.json", bytes(`/v1/jobs/${job.id}/outputs/manifest.json`))));
}

/** The product's jobs before this one, newest first; nothing where there are none. */
export async function history(job) {
  if (!job.product_id) return null;
  const others = [];
  let cursor = "";
  // Later ones come first in the list, and are passed over.
  for (let page = 0; page < PAGES && others.length < EARLIER && cursor !== null; page += 1) {
    const address = `/v1/products/${encodeURIComponent(job.product_id)}/jobs?limit=50${cursor && `&cursor=${encodeURIComponent(cursor)}`}`;
    const found = await api(address).catch(() => ({ jobs: [], cursor: null }));
    others.push(...found.jobs.filter((one) => one.id !== job.id && new Date(one.created_at) < new Date(job.created_at)));
    cursor = found.cursor;
  }
  others.splice(EARLIER);
  if (!others.length) return null;
  return make("section", { class: "history", "aria-labelledby": "history-title" },
    make("h2", { id: "history-title" }, `Earlier for ${job.product_id}`),
    make("ul", { class: "gallery small-shots" }, others.map(earlier)));
}

function earlier(job) {
  const first = job.views.find((view) => view.url);
  const color = job.request.fabric_color;
  return make("li", { class: "card shot" }, make("a", { href: `/jobs/${job.id}` }, make("figure", {},
    make("div", { class: "frame" }, first ? make("img", { src: own(first.url), alt: "", loading: "lazy" }) : make("span", { class: "quiet small" }, "no picture")),
    make("figcaption", {}, make("span", {}, make("i", { class: "dot", vars: { "--colour": color }, title: color }), " ", ago(job.created_at)),
      job.superseded_by ? make("span", { class: "quiet" }, "replaced") : statusTag(job)))));
}
