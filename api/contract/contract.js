// The service's contract, to read and to try.

window.SwaggerUIBundle({ url: "openapi.json", dom_id: "#contract", deepLinking: true, displayRequestDuration: true, filter: true, docExpansion: "list" });
