// Shows and hides questions and fills in computed numbers while a form is filled. The server decides, by the same code
// that judges the answers when they are sent; without this script the page's own buttons do the same.

const form = document.querySelector("form[data-preview]");
const WAIT_MS = 250;
let timer;
let asked = 0;

function withoutFiles(source) {
  const body = new URLSearchParams();
  for (const [name, value] of new FormData(source)) {
    if (typeof value === "string") body.append(name, value);
  }
  return body;
}

function apply(answer) {
  for (const [name, shown] of Object.entries(answer.show)) {
    const field = form.querySelector(`[data-field="${name}"]`);
    if (!field) continue;
    field.hidden = !shown;
    const optional = field.querySelector("[data-optional]");
    if (optional) optional.hidden = Boolean(answer.required[name]);
  }
  for (const [name, text] of Object.entries(answer.values)) {
    const output = form.querySelector(`[data-computed="${name}"]`);
    if (output) output.textContent = text;
  }
}

async function ask() {
  const mine = ++asked;
  try {
    const response = await fetch(form.dataset.preview, {
      method: "POST",
      body: withoutFiles(form),
      headers: { Accept: "application/json" },
    });
    if (response.ok && mine === asked) apply(await response.json());
  } catch {
    // Offline: the page stays as it is, and sending it asks the server again.
  }
}

if (form) {
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT_MS);
  });
  document.getElementById("problems")?.focus();
  ask();
}
