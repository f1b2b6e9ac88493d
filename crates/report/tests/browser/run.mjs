// Opens every sample page in every form and prints a line for each: run.mjs BROWSER SCRATCH [PICTURES].
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

import { Browser } from "./devtools.mjs";
import * as within from "./within.mjs";

const [program, scratch, pictures] = process.argv.slice(2);

const FORMS = [
  { name: "light", width: 1000, height: 900, media: "screen", scheme: "light" },
  { name: "dark", width: 1000, height: 900, media: "screen", scheme: "dark", unfolded: true },
  { name: "narrow", width: 360, height: 740, media: "screen", scheme: "light", unfolded: true },
  // Paper takes no notice of what the screen prefers, and scripts may be off or have changed the page.
  { name: "paper", width: 800, height: 1100, media: "print", scheme: "light" },
  { name: "print", width: 800, height: 1100, media: "print", scheme: "dark", scriptless: true },
];

/** What `poison::markup` says, as it must be read on that page. */
const AS_TEXT = [
  "<script>window.owned = 1</script>",
  "<img src=x onerror=window.owned=1>",
  '" onmouseover="window.owned=1" x="',
  "</pre></code></style></script><iframe src=https://example.com></iframe>",
  "<!-- --> <![CDATA[ ]]> &lt;b&gt; &#60;b&#62; &amp;",
  "\\u{202e}drowssap\\u{202c} \\u{2066}\\u{200b} \\x1b[31mred\\x07",
];

/** Sheets of A4 that one finding in each item may take. */
const SHEETS = 3;

const browser = new Browser(program, join(scratch, "profile"));
let noises = [];
browser.onEvent = ({ method, params }) => {
  const heard = {
    "Runtime.exceptionThrown": () => params.exceptionDetails.text,
    "Runtime.consoleAPICalled": () => `console.${params.type}`,
    "Log.entryAdded": () => params.entry.text,
    "Page.javascriptDialogOpening": () => `dialog: ${params.message}`,
    "Network.requestWillBeSent": () =>
      params.type === "Document" ? undefined : `request: ${params.request.url}`,
  }[method]?.();
  if (heard !== undefined) {
    noises.push(heard);
  }
};

async function ask(page, question, ...given) {
  const expression = `(${question})(...${JSON.stringify(given)})`;
  const how = { expression, returnByValue: true, awaitPromise: true, userGesture: true };
  const { result, exceptionDetails } = await page.send("Runtime.evaluate", how);
  if (exceptionDetails) {
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  }
  return result.value;
}

async function open(page, file, form) {
  const metrics = { width: form.width, height: form.height, deviceScaleFactor: 1, mobile: false };
  await page.send("Emulation.setDeviceMetricsOverride", metrics);
  await page.send("Emulation.setEmulatedMedia", {
    media: form.media,
    features: [{ name: "prefers-color-scheme", value: form.scheme }],
  });
  const value = form.scriptless === true;
  await page.send("Emulation.setScriptExecutionDisabled", { value });
  for (const domain of ["Page", "Runtime", "Log", "Network"]) {
    await page.send(`${domain}.enable`);
  }
  await page.send("Page.navigate", { url: pathToFileURL(file).href });
  for (let wait = 0; wait < 200; wait++) {
    const { result } = await page.send("Runtime.evaluate", { expression: "document.readyState" });
    if (result.value === "complete") {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${file} does not load`);
}

/** Presses Tab until the focus leaves the page again, and counts where it has been. */
async function tabbed(page) {
  const seen = new Set();
  for (let press = 0; press < 300; press++) {
    const key = { key: "Tab", code: "Tab", windowsVirtualKeyCode: 9 };
    await page.send("Input.dispatchKeyEvent", { type: "keyDown", ...key });
    await page.send("Input.dispatchKeyEvent", { type: "keyUp", ...key });
    const at = await ask(page, within.focused);
    if (at === -1 || seen.has(at)) {
      break;
    }
    seen.add(at);
  }
  return seen.size;
}

async function keep(page, name, form, pdf) {
  if (!pictures) {
    return;
  }
  mkdirSync(pictures, { recursive: true });
  if (pdf) {
    writeFileSync(join(pictures, `${name}.${form.name}.pdf`), pdf);
    return;
  }
  const how = { format: "png", captureBeyondViewport: true };
  const { cssContentSize } = await page.send("Page.getLayoutMetrics");
  const { width, height } = cssContentSize;
  const clip = { x: 0, y: 0, width, height, scale: 1 };
  const { data } = await page.send("Page.captureScreenshot", { ...how, clip });
  writeFileSync(join(pictures, `${name}.${form.name}.png`), Buffer.from(data, "base64"));
}

async function onPaper(page, name, form) {
  const complaints = await ask(page, within.isForPaper);
  // A4.
  const paper = { paperWidth: 8.27, paperHeight: 11.69, preferCSSPageSize: true };
  const { data } = await page.send("Page.printToPDF", { printBackground: true, ...paper });
  const pdf = Buffer.from(data, "base64");
  const sheets = pdf.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length ?? 0;
  if (sheets === 0 || (name === "faulty" && sheets > SHEETS)) {
    complaints.push(`${sheets} sheets`);
  }
  await keep(page, name, form, pdf);
  return complaints;
}

async function onScreen(page, name, form) {
  const complaints = await ask(page, within.hasGround, form.scheme === "dark");
  await keep(page, name, form);
  if (form.name !== "light") {
    return complaints;
  }
  const [reached, expected] = [await tabbed(page), await ask(page, within.reachable)];
  if (reached !== expected) {
    complaints.push(`Tab reaches ${reached} of ${expected}`);
  }
  if (name === "faulty") {
    complaints.push(...(await ask(page, within.copies)));
    complaints.push(...(await ask(page, within.linksOpen)));
  }
  return complaints;
}

async function check(file, form) {
  const name = basename(file, ".html");
  noises = [];
  const page = await browser.page();
  await open(page, file, form);
  if (form.unfolded) {
    await ask(page, within.unfold);
  }
  const complaints = [
    ...(await ask(page, within.onlyOurMarkup)),
    ...(await ask(page, within.laysOutWell)),
    ...(await ask(page, within.showsAsText, name === "markup" ? AS_TEXT : [])),
    ...(form.media === "print" ? await onPaper(page, name, form) : await onScreen(page, name, form)),
  ];
  await page.close();
  return [...complaints, ...noises];
}

let [passed, failed] = [0, 0];
try {
  const pages = join(scratch, "pages");
  for (const file of readdirSync(pages).sort()) {
    for (const form of FORMS) {
      const complaints = await check(join(pages, file), form);
      console.log(`${complaints.length === 0 ? "ok  " : "BAD "} ${file} ${form.name}`);
      complaints.forEach((complaint) => console.log(`       ${complaint}`));
      complaints.length === 0 ? passed++ : failed++;
    }
  }
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
