// Copy buttons: shown where the browser can copy.
export function copyButtons() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    const label = button.textContent;
    let timer;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      await navigator.clipboard.writeText(source.textContent.trim());
      button.textContent = button.dataset.done;
      clearTimeout(timer);
      timer = setTimeout(() => { button.textContent = label; }, 2000);
    });
  }
}
