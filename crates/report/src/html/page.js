// Comfort only: the page is whole without this. No sign in it is special in XML.
"use strict";

for (const command of document.querySelectorAll("pre.command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy: " + command.textContent.trim());
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command.textContent.trim());
      button.textContent = "Copied";
    } catch {
      // The browser keeps the clipboard to itself: select the text, the reader presses the keys.
      getSelection().selectAllChildren(command);
      button.textContent = "Selected";
    }
  });
  const row = document.createElement("div");
  row.className = "copy";
  command.replaceWith(row);
  row.append(command, button);
}

// A link to a folded finding opens it.
function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
  }
}
addEventListener("hashchange", openTarget);
openTarget();

// Paper cannot be unfolded, for browsers whose style sheets cannot do it.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details.finding:not([open])")];
  for (const finding of folded) {
    finding.open = true;
  }
});
addEventListener("afterprint", () => {
  for (const finding of folded) {
    finding.open = false;
  }
});
