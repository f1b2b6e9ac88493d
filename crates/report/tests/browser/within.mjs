// What is asked of a page from within. Each function is sent to the browser as its source, so it
// uses nothing but the page and its arguments, and returns a list of complaints.

/** Nothing that a service said became an element, an attribute or a script. */
export function onlyOurMarkup() {
  const complaints = [];
  if (window.owned !== undefined) {
    complaints.push("a script from outside has run");
  }
  const alien = "img, iframe, object, embed, link, form, input, video, audio, base, foreignObject";
  for (const element of document.querySelectorAll(alien)) {
    complaints.push(`<${element.localName}> on the page`);
  }
  for (const name of ["script", "style", "title", "h1"]) {
    const count = document.querySelectorAll(name).length;
    if (count !== 1) {
      complaints.push(`${count} <${name}>`);
    }
  }
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      if (name.startsWith("on") || name === "style" || name === "src") {
        complaints.push(`<${element.localName} ${name}="${value}">`);
      }
      if (name === "href" && !/^#finding-\d+$/.test(value)) {
        complaints.push(`a link to ${value}`);
      }
    }
  }
  return complaints;
}

/** Texts with markup are there as text. */
export function showsAsText(texts) {
  const shown = document.body.textContent;
  return texts.filter((text) => !shown.includes(text)).map((text) => `not shown as text: ${text}`);
}

/** Nothing is wider than the screen, and no two words of a chart cover each other. */
export function laysOutWell() {
  const complaints = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    complaints.push(`${document.documentElement.scrollWidth} pixels wide on a screen of ${width}`);
  }
  for (const element of document.querySelectorAll("body *")) {
    const box = element.getBoundingClientRect();
    const scrolls = element.closest(".source") && !element.matches(".source");
    if (!scrolls && box.width > 0 && (box.right > width + 1 || box.left < -1)) {
      const name = `<${element.localName} class="${element.getAttribute("class") ?? ""}">`;
      complaints.push(`${name} reaches from ${box.left} to ${box.right} of ${width}`);
    }
  }
  for (const chart of document.querySelectorAll("svg")) {
    const words = [...chart.querySelectorAll("text:not(.number)")];
    const boxes = words.map((word) => word.getBoundingClientRect());
    boxes.forEach((one, at) => {
      boxes.slice(at + 1).forEach((other, after) => {
        const covers =
          one.left < other.right && other.left < one.right &&
          one.top < other.bottom && other.top < one.bottom;
        if (covers && one.width > 0 && other.width > 0) {
          const pair = [words[at], words[at + 1 + after]].map((word) => word.textContent);
          complaints.push(`in a chart ${pair.join(" covers ")}`);
        }
      });
    });
  }
  return complaints;
}

/** Opens whatever is folded, so that it is laid out too. */
export function unfold() {
  for (const folded of document.querySelectorAll("details")) {
    folded.open = true;
  }
}

/** The ground is as bright as the form asks for. */
export function hasGround(dark) {
  const colour = getComputedStyle(document.body).backgroundColor;
  const [red, green, blue] = colour.match(/\d+/g).map(Number);
  const isDark = (red + green + blue) / 3 < 64;
  return isDark === dark ? [] : [`the ground is ${colour}`];
}

/** On paper every finding is open and the log book is not there. */
export function isForPaper() {
  const bodies = [...document.querySelectorAll(".finding .body")];
  const hidden = bodies.filter((body) => !body.checkVisibility()).length;
  const complaints = hidden > 0 ? [`${hidden} findings stay folded on paper`] : [];
  const book = document.querySelector(".log-book");
  if (book && book.checkVisibility()) {
    complaints.push("the log book is printed");
  }
  // A word without what it is the word for.
  const rows = [...document.querySelectorAll(".do > div")].filter((row) => row.checkVisibility());
  for (const row of rows) {
    const parts = [...row.querySelectorAll("dd *")].filter((part) => part.tagName !== "BUTTON");
    if (!parts.every((part) => part.checkVisibility())) {
      complaints.push(`${row.querySelector("dt").textContent} is printed without what follows it`);
    }
  }
  return complaints;
}

/** How many things a keyboard has to reach. */
export function reachable() {
  const all = document.querySelectorAll("a, summary, button, [tabindex='0']");
  return [...all].filter((element) => element.checkVisibility()).length;
}

/** What has the focus, by its position on the page; -1 for nothing. */
export function focused() {
  return [...document.querySelectorAll("*")].indexOf(
    document.activeElement === document.body ? null : document.activeElement,
  );
}

/** The first copy button does something that its label tells. */
export async function copies() {
  const button = document.querySelector("button");
  if (!button) {
    return ["no copy button"];
  }
  button.click();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const done = ["Copied", "Selected"].includes(button.textContent);
  return done ? [] : [`the button says ${button.textContent}`];
}

/** A link on a card opens the finding that it leads to. */
export async function linksOpen() {
  const links = [...document.querySelectorAll(".more a")];
  const link = links.find((link) => !document.querySelector(link.hash).open);
  if (!link) {
    return ["no card leads to a folded finding"];
  }
  link.click();
  await new Promise((resolve) => setTimeout(resolve, 300));
  return document.querySelector(link.hash).open ? [] : [`${link.hash} stays folded`];
}
