import { $, Problem, problemNotice, replace } from "./farm.js";

const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;

/** Where to go then: a path of this site, and nothing else. */
function next() {
  const wanted = new URLSearchParams(location.search).get("next") ?? "/";
  return wanted.startsWith("/") && !wanted.startsWith("//") && !wanted.includes("\\") ? wanted : "/";
}

const AWAY = { message: "The farm does not answer.", hint: "Check that it is up, then try again." };

/** A refused key in this page's words: the API's are for programs that send headers. */
function said(problem) {
  if (problem.code === "unauthorised") return { message: "This key does not open this farm.", hint: "Check that all of it was copied; it may also have been revoked. `farm keys list` shows which there are, `farm keys create` makes one." };
  if (problem.code === "invalid_request") return { message: "This is no key.", hint: "A key begins with farm_ and is copied whole." };
  return problem;
}

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = $("#key").value.trim();
  const answer = await fetch("/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ key }),
  }).catch(() => null);
  if (answer?.ok) {
    location.replace(next());
    return;
  }
  replace($("#said"), problemNotice(answer ? said(new Problem(answer.status, await answer.json().catch(() => ({})))) : AWAY));
  $("#key").select();
});
// Until here the browser itself would have sent the form, with the key in the address.
$("form button").disabled = false;
