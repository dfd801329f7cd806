// Regions that follow what happens: <section data-stream="/console/…/stream">.
import { morph } from "./morph.js";

export function follow() {
  for (const region of document.querySelectorAll("[data-stream]")) listen(region);
}

function listen(region) {
  const state = document.querySelector(`[data-state-of="${region.id}"]`);
  let source;
  const say = (name) => {
    if (!state) return;
    state.className = `pill ${name === "on" ? "live" : "warn"}`;
    state.textContent = state.dataset[name];
    state.hidden = false;
  };
  const open = () => {
    source = new EventSource(region.dataset.stream);
    source.addEventListener("open", () => say("on"));
    source.addEventListener("error", () => say("off"));
    source.addEventListener("message", (event) => show(region, event.data));
    source.addEventListener("end", () => { source.close(); say("off"); setTimeout(open, 3000); });
  };
  open();
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
}

function show(region, html) {
  const atEnd = region.scrollHeight - region.scrollTop - region.clientHeight < 40;
  morph(region, html);
  if (region.dataset.sticks !== undefined && atEnd) region.scrollTop = region.scrollHeight;
  for (const box of region.querySelectorAll(".bubble.growing")) box.scrollTop = box.scrollHeight;
}
