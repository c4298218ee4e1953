// The console's keyboard, its live rows and its one chart. Everything here is an addition: pages work without it.
(() => {
  "use strict";
  const typing = (node) => node.closest?.("input, textarea, select, [contenteditable], dialog[open]");
  const rows = () => [...document.querySelectorAll("[data-rows] [data-open]")];
  let goPending = 0;

  function select(row, { scroll = true } = {}) {
    for (const other of rows()) other.setAttribute("aria-selected", String(other === row));
    if (!row) return;
    if (scroll) row.scrollIntoView({ block: "nearest" });
    remembered = row.id;
    const peek = document.getElementById("peek");
    if (peek && row.dataset.peek && peek.dataset.of !== row.dataset.peek && getComputedStyle(peek).display !== "none") {
      peek.dataset.of = row.dataset.peek;
      fill(peek, row.dataset.peek);
    }
  }

  // Whoever runs down the list sees the row they stopped at: an earlier answer that comes late is thrown away.
  let filling = new AbortController();
  async function fill(peek, address) {
    filling.abort();
    const mine = (filling = new AbortController());
    try {
      const answer = await fetch(address, { signal: mine.signal, headers: { "HX-Request": "true" } });
      const page = await answer.text();
      if (answer.status === 200 && filling === mine) peek.innerHTML = page;
    } catch (trouble) {
      if (trouble.name !== "AbortError") peek.dataset.of = "";
    }
  }
  let remembered = document.querySelector('[data-rows] [aria-selected="true"]')?.id ?? null;

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((row) => row.getAttribute("aria-selected") === "true");
    select(all[Math.min(all.length - 1, Math.max(0, now + step))] ?? all[0]);
  }
  function open() {
    const row = rows().find((one) => one.getAttribute("aria-selected") === "true");
    if (row) location.assign(row.dataset.open);
  }
  function focusOn(selector) {
    const field = document.querySelector(selector);
    if (!field) return false;
    field.closest("details")?.setAttribute("open", "");
    field.focus();
    field.select?.();
    return true;
  }

  // The palette: every page of the menu, every kept list and every act that this page offers, by its name.
  const palette = document.getElementById("palette");
  const named = (node) => {
    const copy = node.cloneNode(true);
    copy.querySelectorAll(".kbd, .count, .sr-only").forEach((part) => part.remove());
    return copy.textContent.trim().replace(/\s+/g, " ");
  };
  function offers() {
    const found = new Map();
    const offer = (node, run) => { const name = named(node); if (name && !found.has(name)) found.set(name, run); };
    document.querySelectorAll("[data-go], main a.filter").forEach((link) => offer(link, () => location.assign(link.href)));
    document.querySelectorAll("main summary.btn").forEach((summary) => offer(summary, () => {
      const folded = summary.parentElement;
      folded.setAttribute("open", "");
      folded.querySelector("textarea, select, input:not([type=hidden]), button")?.focus();
    }));
    document.querySelectorAll("main form button.btn").forEach((button) => {
      if (!button.closest("details:not([open])")) offer(button, () => button.form.requestSubmit(button));
    });
    return found;
  }
  function offered() {
    const asked = document.getElementById("palette-q");
    const wanted = asked.value.trim().toLowerCase();
    const fitting = [...offers()].filter(([name]) => name.toLowerCase().includes(wanted)).slice(0, 12);
    if (asked.value.trim()) {
      fitting.push([`Search for ${asked.value.trim()}`, () => location.assign(`${asked.dataset.search}?q=${encodeURIComponent(asked.value.trim())}`)]);
    }
    document.getElementById("palette-list").replaceChildren(...fitting.map(([name, run]) => {
      const choice = document.createElement("button");
      choice.type = "button";
      choice.className = "nav-item w-full";
      choice.textContent = name;
      choice.addEventListener("click", () => { palette.close(); run(); });
      return choice;
    }));
  }
  palette?.addEventListener("input", offered);
  palette?.addEventListener("keydown", (event) => {
    const choices = [...palette.querySelectorAll("#palette-list button")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" && event.target.id === "palette-q") choices[0]?.click();
    else if (step) choices[Math.max(0, Math.min(choices.length - 1, choices.indexOf(document.activeElement) + step))]?.focus();
    else return;
    event.preventDefault();
  });

  addEventListener("keydown", (event) => {
    if (event.key === "k" && (event.ctrlKey || event.metaKey) && palette && !palette.open) {
      event.preventDefault();
      document.getElementById("palette-q").value = "";
      offered();
      palette.showModal();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      document.querySelectorAll("details[data-menu][open]").forEach((menu) => menu.removeAttribute("open"));
      if (typing(event.target)) event.target.blur();
      return;
    }
    if (typing(event.target)) return;
    if (goPending && event.timeStamp - goPending < 1500) {
      goPending = 0;
      const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
      if (link) {
        event.preventDefault();
        location.assign(link.href);
      }
      return;
    }
    const onControl = event.target.closest?.("a, button, summary");
    switch (event.key) {
      case "j": case "ArrowDown": if (event.key === "ArrowDown" && !rows().length) return; move(1); break;
      case "k": case "ArrowUp": if (event.key === "ArrowUp" && !rows().length) return; move(-1); break;
      case "Enter": if (onControl) return; open(); return;
      case "o": open(); break;
      case "/": if (!focusOn("#q")) return; break;
      case "?": document.getElementById("shortcuts")?.showModal(); break;
      case "g": goPending = event.timeStamp; break;
      case "n": if (!focusOn("#note-text")) return; break;
      case "a": document.querySelector("[data-take]")?.requestSubmit(); break;
      case "f": document.querySelector("[data-follow]")?.requestSubmit(); break;
      case "z": if (!focusOn("#until")) return; break;
      case "t": if (!focusOn("#add-tags")) return; break;
      case "x": { const box = document.querySelector('[data-rows] [aria-selected="true"] input[type=checkbox]'); if (!box) return; box.click(); break; }
      case "u": { const up = document.querySelector("[data-up]"); if (!up) return; location.assign(up.href); break; }
      default: return;
    }
    event.preventDefault();
  });

  addEventListener("click", (event) => {
    if (event.target.closest("[data-shortcuts]")) document.getElementById("shortcuts")?.showModal();
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (!menu.contains(event.target)) menu.removeAttribute("open");
    }
    const row = event.target.closest("[data-rows] [data-open]");
    if (!row || event.target.closest("a, button, input, summary, label")) return;
    if (getSelection()?.toString()) return;
    if (row.dataset.peek && document.getElementById("peek") && getComputedStyle(document.getElementById("peek")).display !== "none" && row.getAttribute("aria-selected") !== "true") select(row);
    else location.assign(row.dataset.open);
  });

  // Nobody's half-written words are swept away: a part of the page is not refreshed while a form in it is in use.
  const inUse = (place) =>
    place.querySelector("details[data-form=''][open]") || // One that the page itself opens says so, and nobody is in it yet.
    place.contains(document.activeElement?.closest("form")) ||
    [...place.querySelectorAll("textarea")].some((field) => field.value !== field.defaultValue) ||
    [...place.querySelectorAll("form input[type=checkbox], input[type=checkbox][form]")].some((box) => box.checked !== box.defaultChecked);
  addEventListener("htmx:before:request", (event) => {
    if (["live", "inbox", "rows"].includes(event.target.id) && inUse(event.target)) event.preventDefault();
    if (document.hidden) event.preventDefault();
  });

  // Told of a change, the page asks again at once; without being told it asks by itself. A page that nobody looks at
  // holds no stream: a browser has six connections to a place, and other pages want theirs.
  let stream;
  const news = () => ["live", "inbox", "rows", "numbers"].forEach((id) => document.getElementById(id)?.dispatchEvent(new Event("news")));
  function listen() {
    const address = document.querySelector("[data-news]")?.dataset.news;
    if (!address || !window.EventSource) return;
    if (document.hidden) {
      stream?.close();
      stream = undefined;
    } else if (!stream) {
      stream = new EventSource(address);
      let lost = listen.before;
      listen.before = true;
      stream.addEventListener("open", () => { if (lost) news(); lost = false; });
      stream.addEventListener("error", () => { lost = true; });
      stream.addEventListener("changed", news);
    }
  }
  document.addEventListener("visibilitychange", listen);
  listen();

  // A refreshed list keeps the row that the reader was on.
  addEventListener("htmx:after:swap", () => {
    const row = remembered && document.getElementById(remembered);
    if (row && row.getAttribute("aria-selected") !== "true") select(row, { scroll: false });
    draw();
  });

  // Forms are sent once, however often the button is pressed.
  addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.dataset.keep !== undefined) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
    addEventListener("pageshow", () => delete form.dataset.sent, { once: true });
  });

  function draw() {
    const place = document.querySelector("[data-hours]");
    if (!place || !window.uPlot || place.dataset.drawn) return;
    place.dataset.drawn = "1";
    const table = document.getElementById(place.dataset.hours);
    const points = [...table.querySelectorAll("tbody tr")].map((row) => [Number(row.dataset.t), Number(row.dataset.n)]);
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const ink = () => getComputedStyle(place).color;
    const make = () => {
      place.replaceChildren();
      new uPlot(
        {
          width: place.clientWidth, height: 220, legend: { live: true }, cursor: { y: false },
          tzDate: (ts) => uPlot.tzDate(new Date(ts * 1e3), "Etc/UTC"),
          scales: { y: { range: (_, low, high) => [0, Math.max(4, high)] } },
          axes: [
            {
              stroke: ink, grid: { stroke: colour("--color-base-300"), width: 1 }, font: "11px Inter Variable", space: 60,
              values: (_, splits) => splits.map((ts) => {
                const iso = new Date(ts * 1e3).toISOString();
                return iso.slice(11, 16) === "00:00" ? iso.slice(5, 10) : iso.slice(11, 16);
              }),
            },
            { stroke: ink, grid: { stroke: colour("--color-base-300"), width: 1 }, font: "11px Inter Variable", size: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] },
          ],
          series: [
            { value: (_, ts) => (ts == null ? "" : new Date(ts * 1e3).toISOString().slice(0, 16).replace("T", " ") + " UTC") },
            { label: "Complaints", stroke: colour("--color-info"), width: 1.5, fill: colour("--color-info") + "22", paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } },
          ],
        },
        [points.map((p) => p[0]), points.map((p) => p[1])],
        place,
      );
      table.closest("details")?.removeAttribute("open");
    };
    make();
    addEventListener("themechange", make);
    let width = place.clientWidth;
    new ResizeObserver(() => { if (place.clientWidth !== width) { width = place.clientWidth; make(); } }).observe(place);
  }
  draw();
})();
