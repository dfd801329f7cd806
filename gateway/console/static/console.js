// What makes the pages livelier. Every page works without it.
import { chats } from "./chat.js";
import { copyButtons } from "./copy.js";
import { follow } from "./live.js";
import { progress } from "./progress.js";

chats();
copyButtons();
follow();
progress();

// The summary of what went wrong is read out and seen first.
document.querySelector("[data-focus]")?.focus();

for (const select of document.querySelectorAll("select[data-submits]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
