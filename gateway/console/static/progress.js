// Forms whose answer grows, such as a test: <form data-progress="ID of the region that shows it">.
import { morph } from "./morph.js";

export function progress() {
  for (const form of document.querySelectorAll("form[data-progress]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      run(form);
    });
  }
}

async function run(form) {
  const region = document.getElementById(form.dataset.progress);
  const buttons = [...form.querySelectorAll("button")];
  for (const button of buttons) button.disabled = true;
  region.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, {
      method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "text/event-stream" },
    });
    if (!answer.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      location.reload();
      return;
    }
    let waiting = "";
    for (const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      waiting += value;
      const events = waiting.split("\n\n");
      waiting = events.pop();
      for (const one of events) event(region, one);
    }
  } finally {
    region.removeAttribute("aria-busy");
    for (const button of buttons) button.disabled = false;
  }
}

function event(region, text) {
  const lines = text.split("\n");
  if (lines.some((line) => line.startsWith("event:"))) return;
  const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
  if (data.length) morph(region, data.join("\n"));
}
