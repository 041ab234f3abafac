// Webhooks: add one, try it, look at what was sent there, send it again.

import { $, ago, api, frame, make, problemNotice, replace, session } from "./farm.js";

frame("/webhooks");
await session();

const EVERY_MS = 3000;
const EVENTS = ["created", "compositing", "rendering", "preview_ready", "view_completed", "compensating", "completed", "failed", "cancelled"];
const CHOSEN = new Set(["completed", "failed", "cancelled"]);
const LOOKS = { delivered: "completed", failed: "failed", abandoned: "cancelled", pending: "rendering", enabled: "completed", disabled: "failed" };
let shown = null;
let older = false;
let cursor = null;
let deliveries = [];

const tag = (word) => make("span", { class: `tag ${LOOKS[word]}` }, word);
const say = (...what) => replace($("#said"), ...what);

async function doing(work) {
  try {
    await work();
  } catch (problem) {
    say(problemNotice(problem));
  }
}

function secretNotice(words, secret) {
  return make("div", { class: "notice", role: "status" }, make("strong", {}, words), "Keep it now; it is not shown again: ", make("code", {}, secret));
}

function outcome(delivery) {
  const last = delivery.attempts.at(-1);
  return last ? last.error ?? `status ${last.status}` : "not tried yet";
}

async function test(hook) {
  const delivery = await api(`/v1/webhooks/${hook.id}/test`, { method: "POST" });
  const good = delivery.state === "delivered";
  say(make("div", { class: good ? "notice" : "notice bad", role: "status" },
    make("strong", {}, good ? "The test arrived." : "The test did not arrive."), outcome(delivery)));
  await open(hook);
}

async function rotate(hook) {
  const { secret } = await api(`/v1/webhooks/${hook.id}/rotate`, { method: "POST" });
  say(secretNotice("A new secret; for a day the old one signs too.", secret));
  await load();
}

async function remove(hook) {
  if (!confirm(`Forget ${hook.url} and the log of what was sent there?`)) return;
  await api(`/v1/webhooks/${hook.id}`, { method: "DELETE" });
  if (shown?.id === hook.id) shown = null;
  say();
  await load();
}

async function enable(hook) {
  await api(`/v1/webhooks/${hook.id}/enable`, { method: "POST" });
  say();
  await load();
}

const act = (words, hook, work) =>
  make("button", { type: "button", class: "plain small", "aria-label": `${words}: ${hook.name || hook.url}`, onclick: () => doing(() => work(hook)) }, words);

function row(hook) {
  return make("tr", {},
    make("td", { class: "wide" }, make("div", {}, hook.name || hook.url), hook.name && make("div", { class: "small quiet" }, hook.url),
      make("div", { class: "small quiet mono" }, hook.id)),
    make("td", {}, tag(hook.status), hook.disabled_reason && make("div", { class: "small quiet" }, hook.disabled_reason)),
    make("td", { class: "small quiet" }, hook.last_delivered_at ? ago(hook.last_delivered_at) : "never"),
    make("td", { class: "acting" }, make("div", { class: "acts" },
      act("Test", hook, test), act("Log", hook, open), act("New secret", hook, rotate),
      hook.status === "disabled" && act("Enable", hook, enable), act("Remove", hook, remove))));
}

async function load() {
  const hooks = await api("/v1/webhooks");
  $("#none").hidden = hooks.length > 0;
  replace($("#none"), make("p", {}, "No webhooks yet."));
  replace($("#list"), hooks.length > 0 && make("table", { class: "cards" },
    make("thead", {}, make("tr", {}, ["Address", "State", "Last arrived", "Actions"].map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, hooks.map(row))));
  if (shown && !older) await loadLog();
  $("#log").hidden = !shown;
}

async function open(hook) {
  shown = hook;
  older = false;
  $("#log-title").textContent = `Sent to ${hook.name || hook.url}`;
  await load();
}

async function loadLog() {
  const page = await api(`/v1/webhooks/${shown.id}/deliveries?limit=25`);
  ({ cursor, deliveries } = page);
  showLog();
}

function showLog() {
  $("#more").hidden = !cursor;
  replace($("#deliveries"), deliveries.length === 0 ? make("div", { class: "empty" }, "Nothing yet.") : make("table", { class: "cards" },
    make("thead", {}, make("tr", {}, ["Event", "State", "Last answer", "Made", "Actions"].map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, deliveries.map((delivery) => make("tr", {},
      make("td", { class: "wide" }, delivery.type.replace("render.", ""),
        delivery.job_id ? make("div", { class: "small mono" }, make("a", { href: `/jobs/${delivery.job_id}` }, delivery.job_id)) : null,
        make("div", { class: "small quiet mono" }, delivery.id)),
      make("td", {}, tag(delivery.state), make("div", { class: "small quiet" }, delivery.attempts.length === 1 ? "1 try" : `${delivery.attempts.length} tries`)),
      make("td", { class: "small" }, outcome(delivery)),
      make("td", { class: "small quiet" }, ago(delivery.created_at)),
      make("td", {}, make("button", { type: "button", class: "plain small", "aria-label": `Send again: ${delivery.id}`, onclick: () => doing(() => replay(delivery)) }, "Send again")))))));
}

async function replay(delivery) {
  await api(`/v1/webhooks/${delivery.webhook_id}/deliveries/${delivery.id}/replay`, { method: "POST" });
  older = false;
  await load();
}

replace($("#events"), EVENTS.map((name) =>
  make("label", {}, make("input", { type: "checkbox", name: "event", value: `render.job.${name}`, checked: CHOSEN.has(name) }), name.replace("_", " "))));

$("#add").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  doing(async () => {
    const made = await api("/v1/webhooks", {
      method: "POST", json: { url: form.get("url").trim(), name: form.get("name").trim(), events: form.getAll("event") },
    });
    event.target.reset();
    say(secretNotice("The webhook is added. Its secret verifies what it is sent.", made.secret));
    await load();
  });
});
$("#add button").disabled = false;
$("#more").addEventListener("click", () => doing(async () => {
  const page = await api(`/v1/webhooks/${shown.id}/deliveries?limit=25&cursor=${cursor}`);
  deliveries = [...deliveries, ...page.deliveries];
  cursor = page.cursor;
  older = true;
  showLog();
}));
await doing(load);
setInterval(() => { if (!document.hidden && !$("main").contains(document.activeElement)) doing(load); }, EVERY_MS);
