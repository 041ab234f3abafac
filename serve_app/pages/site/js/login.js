import { $, Problem, problemNotice, replace } from "./farm.js";

const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;

/** Where to go then: a path of this site, and nothing else. */
function next() {
  const wanted = new URLSearchParams(location.search).get("next") ?? "/";
  return wanted.startsWith("/") && !wanted.startsWith("//") && !wanted.includes("\\") ? wanted : "/";
}

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = $("#key").value.trim();
  const answer = await fetch("/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ key }),
  });
  if (answer.ok) {
    location.replace(next());
    return;
  }
  replace($("#said"), problemNotice(new Problem(answer.status, await answer.json().catch(() => ({})))));
  $("#key").select();
});
