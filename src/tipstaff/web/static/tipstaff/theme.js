// Runs before the page is painted: puts the remembered theme on it. No choice remembered: as the system asks.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    chosen = null; // Storage can be switched off; the system's choice then stands.
  }
  const dark = () => (chosen ? chosen === "night" : matchMedia("(prefers-color-scheme: dark)").matches);
  const show = () => document.documentElement.setAttribute("data-theme", dark() ? "night" : "day");
  show();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-theme-toggle]")) return;
    chosen = dark() ? "day" : "night";
    try {
      localStorage.setItem("theme", chosen);
    } catch {
      // It then lasts for this page only.
    }
    show();
    dispatchEvent(new Event("themechange"));
  });
})();
