// Suggests an address from the organisation's name until one is typed, and the browser's own time zone. Without this
// script the server suggests the address where none was typed, and the time zone is chosen from the list.

const organisation = document.querySelector("[name=organisation]");
const slug = document.querySelector("[name=slug]");
const timezone = document.querySelector("[name=timezone]");
const LONGEST = 63;

function suggestion(name) {
  const plain = name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.replace(/[^a-z0-9]+/g, "-").slice(0, LONGEST).replace(/^-|-$/g, "");
}

if (organisation && slug) {
  let suggested = slug.value;
  organisation.addEventListener("input", () => {
    if (slug.value === suggested) slug.value = suggested = suggestion(organisation.value);
  });
}
if (timezone && timezone.value === "UTC" && !document.querySelector("#problems")) {
  const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...timezone.options].some((one) => one.value === mine)) timezone.value = mine;
}
