// Chats: what is sent leaves the page as it is, and the region above shows it: <form data-quiet>.
export function chats() {
  for (const form of document.querySelectorAll("form[data-quiet]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form, event.submitter);
    });
    const text = form.querySelector("[data-enter-sends]");
    text?.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
  }
}

async function send(form, submitter) {
  const stops = submitter?.name === "do";
  const text = form.querySelector("textarea");
  if (!stops && !text.value.trim()) return;
  const fields = new URLSearchParams(new FormData(form, submitter));
  const answer = await fetch(form.action, { method: "POST", body: fields }).catch(() => undefined);
  if (!answer?.ok) {
    // The same wish, as a page: what was wrong is said there, and it is done once.
    form.submit();
    return;
  }
  form.elements.request.value = [...crypto.getRandomValues(new Uint8Array(12))].map((one) => one.toString(16)).join("");
  if (!stops) text.value = "";
  text.focus();
}
