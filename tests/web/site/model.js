// As the farm's own pages must do it: the decoder from here, then the viewer, then the model.
self.ModelViewerElement = { dracoDecoderLocation: "/vendor/draco/" };
const viewer = document.querySelector("model-viewer");
viewer.addEventListener("load", () => { document.title = "loaded"; });
viewer.addEventListener("error", (event) => { document.title = `failed: ${event.detail.type} ${event.detail.sourceError ?? ""}`; });
await import("/vendor/model-viewer/model-viewer.min.js");
viewer.src = new URLSearchParams(location.search).get("src");
