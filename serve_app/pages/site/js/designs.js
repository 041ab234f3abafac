// The design: chosen or dropped, looked at before anything of it is sent, and sent once.

import { $, api, make, replace } from "./farm.js";
import { draft } from "./draft.js";
import { fault, notice } from "./faults.js";

const SCREEN_PX = 800;
let limits = {};
let chosen = () => {};

/** Listen for files; `changed` is called whenever the designs are others. */
export function beginDesigns(session, changed) {
  limits = session;
  chosen = changed;
  $("#drop-facts").textContent = `Up to ${megabytes(limits.design_max_bytes)}; transparent areas show the cloth.`;
  $("#file").addEventListener("change", (event) => take(event.target.files[0]));
  $("#nothing").addEventListener("click", () => $("#file").click());
  listenForDrops();
  take($("#file").files[0]); // chosen before this was listened for, or kept by the browser over a reload
}

/** A drop counts wherever it falls: beside the mark, the browser would leave the page for the picture. */
function listenForDrops() {
  let over = 0;
  const show = () => $("#making").classList.toggle("over", over > 0);
  const wanted = (event) => !$("#making").hidden && [...(event.dataTransfer?.types ?? [])].includes("Files");
  window.addEventListener("dragenter", (event) => { if (wanted(event)) { event.preventDefault(); over += 1; show(); } });
  window.addEventListener("dragover", (event) => { if (wanted(event)) event.preventDefault(); });
  window.addEventListener("dragleave", (event) => { if (wanted(event)) { over = Math.max(0, over - 1); show(); } });
  window.addEventListener("drop", (event) => {
    if (!wanted(event)) return;
    event.preventDefault();
    over = 0;
    show();
    take(event.dataTransfer.files[0]);
  });
}

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
  return { file, url: await small(picture, url), width, height };
}

/** The address of a smaller copy, as far as a screen shows it: a large one would be scaled anew at every step of a drag. */
async function small(picture, url) {
  const scale = SCREEN_PX / Math.max(picture.naturalWidth, picture.naturalHeight);
  if (scale >= 1) return url;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(scale * picture.naturalWidth));
  canvas.height = Math.max(1, Math.round(scale * picture.naturalHeight));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const data = await new Promise((done) => canvas.toBlob(done));
  if (!data) return url;
  URL.revokeObjectURL(url);
  return URL.createObjectURL(data);
}

let newest = 0;
async function take(file) {
  if (!file) return;
  $("#file").value = ""; // the same file, changed meanwhile, would else be no choice to the browser
  const mine = ++newest;
  const found = await looked(file);
  if (mine !== newest) return; // another was chosen meanwhile
  if (found.why) {
    // The design from before stays: it is shown, and it is what would be rendered.
    replace($("#design-said"), notice(found.why, found.hint));
    return;
  }
  fault("design", null);
  const before = draft.designs.length;
  useDesigns([found], null);
  if (before > 1) replace($("#design-said"), make("p", { class: "small" }, `It takes the place of all ${before} designs.`));
  for (const layer of draft.layers) Object.assign(layer, { design: 0, height_cm: null });
  chosen();
}

/** Use these designs from now on: files of this page, or those of the job `again`. */
function useDesigns(designs, again) {
  for (const one of draft.designs) URL.revokeObjectURL(one.url);
  Object.assign(draft, { designs, again });
  const [first] = designs;
  $("#thumb").hidden = !first?.url;
  if (first?.url) $("#thumb").src = first.url;
  const more = designs.length > 1 ? ` and ${designs.length - 1} more` : "";
  $("#drop-words").textContent = again ? `The design of the last pictures${more}` : first?.file?.name ?? "Drop a PNG or JPEG, or choose a file";
  $("#drop-facts").textContent = first?.width ? `${first.width} × ${first.height} px, ${megabytes(first.file.size)}. Choose again to change it.` : "Choose again to change it.";
}

// --- sent once -----------------------------------------------------------------------------------------------------

/** The ids under which the farm keeps the designs in hand; each is sent when it is first needed, and never twice. */
export function kept() {
  return Promise.all(draft.designs.map(send));
}

async function send(design) {
  design.id ??= api("/v1/designs", { method: "POST", body: design.file, headers: { "Content-Type": design.file.type || "application/octet-stream" } })
    .then((answer) => {
      if (design === draft.designs[0] && !draft.again) tellFacts(answer);
      return answer.id;
    });
  try {
    return await design.id;
  } catch (problem) {
    design.id = null;
    if ([413, 415, 422].includes(problem.status)) fault("design", problem.message, problem.hint); // and is not sent again
    throw problem;
  }
}

function tellFacts(facts) {
  const cm = (name) => Math.floor(facts[name]);
  $("#drop-facts").textContent = `${facts.width_px} × ${facts.height_px} px, ${megabytes(facts.size_bytes)}: prints finely up to ${cm("width_cm_at_300_dpi")} cm wide, and well up to ${cm("width_cm_at_150_dpi")} cm. Choose again to change it.`;
}

/** Whether the farm no longer has a design that it had: it is then sent again. */
function forgotten(problem) {
  const gone = ["design_unknown", "design_deleted"].includes(problem.code);
  if (gone) for (const one of draft.designs) one.id = null;
  return gone;
}

/** `ask(ids)` with the designs' ids; once more, where the farm has forgotten them meanwhile. */
export async function withDesigns(ask) {
  try {
    return await ask(await kept());
  } catch (problem) {
    if (!forgotten(problem)) throw problem;
    return ask(await kept());
  }
}

/** The designs of a job, to be seen here; where they are not kept, all else is, and a design is chosen anew. */
export async function designsOf(job) {
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
    return { url: await small(picture, url), file: data, width: picture.naturalWidth, height: picture.naturalHeight };
  } catch {
    return {};
  }
}
