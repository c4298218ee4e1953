// Builds the package's static files: one style sheet, and the files we vendor with their licences.
// Run by `make assets`; the output is committed, so nobody needs Node to run Tipstaff.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

const out = "../src/tipstaff/web/static/tipstaff";
const modules = "node_modules";
const copy = (from, to) => copyFileSync(`${modules}/${from}`, to);

mkdirSync(`${out}/fonts`, { recursive: true });
mkdirSync(`${out}/licences`, { recursive: true });

execFileSync(`${modules}/.bin/tailwindcss`, ["--input", "app.css", "--output", `${out}/app.css`, "--minify"], {
  stdio: "inherit",
});

// Images in data: URLs (daisyUI's noise, which our themes do not use) are what our content security policy forbids.
const css = readFileSync(`${out}/app.css`, "utf8").replace(/url\("data:[^"]*"\)/g, "none").replace(/url\('data:[^']*'\)/g, "none");
if (css.includes("data:image")) throw new Error("a data: image is left in app.css");
writeFileSync(`${out}/app.css`, css);

for (const script of ["latin", "latin-ext"]) {
  const name = `inter-${script}-wght-normal.woff2`;
  copy(`@fontsource-variable/inter/files/${name}`, `${out}/fonts/${name}`);
}
copy("uplot/dist/uPlot.iife.min.js", `${out}/uplot.js`);
copy("uplot/dist/uPlot.min.css", `${out}/uplot.css`);
copy("@fontsource-variable/inter/LICENSE", `${out}/licences/inter.txt`);
copy("uplot/LICENSE", `${out}/licences/uplot.txt`);
copy("daisyui/LICENSE", `${out}/licences/daisyui.txt`);
copy("tailwindcss/LICENSE", `${out}/licences/tailwindcss.txt`);

// The accessibility checker is for the browser tests only and is not in the package.
const axe = readFileSync(`${modules}/axe-core/axe.min.js`, "utf8");
writeFileSync("../tests/browser/axe.min.js", axe);
