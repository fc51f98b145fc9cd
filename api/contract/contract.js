// The service's contract, to read and to try.

const place = document.getElementById("contract");

if ((await fetch("session")).status === 401) {
  const link = document.createElement("a");
  link.href = "ui/";
  link.textContent = "Sign in with a key";
  place.replaceChildren(link, " to read the API here.");
} else {
  window.SwaggerUIBundle({ url: "openapi.json", dom_id: "#contract", deepLinking: true, displayRequestDuration: true, filter: true, docExpansion: "list" });
}
