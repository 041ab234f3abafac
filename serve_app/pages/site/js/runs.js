// What the pages about catalogue runs share.

import { make } from "./farm.js";

export function runTag(run) {
  if (run.cancel_requested && !run.finished_at) return make("span", { class: "tag stopping" }, "stopping");
  // A run is completed when every row has come to an end, whichever: the colour says whether all is well.
  const failed = run.status === "completed" && run.counts.failed > 0;
  return make("span", { class: `tag ${failed ? "failed" : run.status}` }, failed ? `done, ${run.counts.failed.toLocaleString()} failed` : run.status);
}

/** Part of whole in percent; nothing of nothing is nothing. */
export function shareOf(part, whole) {
  return whole > 0 ? 100 * part / whole : 0;
}
