// Keeps the page as a reload would show it: asks for it again every second and takes over the parts that changed.
// What the visitor opened, focused, scrolled or selected stays so. Without this script everything works by reloading.
"use strict";
(() => {
  const EVERY = 1000, AT_MOST = 15000;
  const state = document.getElementById("live-state"), toggle = document.getElementById("live-toggle");
  const regions = [...document.querySelectorAll("[data-live]")];
  if (!regions.length) return;

  const sources = new Map(regions.map((region) => [region.id, region.innerHTML]));
  let tag = "", wait = EVERY, paused = false, timer = 0, asking = false;

  function show(text, tone) {
    if (state.textContent !== text) state.textContent = text;
    state.className = tone;
  }

  function selecting(region) {
    const selection = document.getSelection();
    return !selection.isCollapsed && selection.containsNode(region, true);
  }

  function replace(region, html) {
    const open = [...region.querySelectorAll("details[open][id]")].map((each) => each.id);
    const scrolled = [...region.querySelectorAll("[id]")].map((each) => [each.id, each.scrollTop, each.scrollLeft]);
    const focused = region.contains(document.activeElement) ? document.activeElement : null;
    const like = focused && [...region.querySelectorAll(focused.localName)].indexOf(focused);
    region.innerHTML = html;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    for (const [id, top, left] of scrolled) document.getElementById(id)?.scrollTo(left, top);
    if (!focused) return;
    const candidates = [...region.querySelectorAll(focused.localName)];
    const href = focused.getAttribute("href");
    const same = candidates.find((each) => (href ? each.getAttribute("href") === href : focused.id && each.id === focused.id));
    (same || candidates[like])?.focus({ preventScroll: true });
  }

  function take(html) {
    // Parsed apart from the document: nothing in it runs or loads.
    const fresh = new DOMParser().parseFromString(html, "text/html");
    let all = true;
    for (const region of regions) {
      const next = fresh.getElementById(region.id)?.innerHTML ?? "";
      if (next === sources.get(region.id)) continue;
      if (selecting(region)) { all = false; continue; }
      replace(region, next);
      sources.set(region.id, next);
    }
    document.title = fresh.title;
    return all;
  }

  async function ask() {
    clearTimeout(timer);
    if (paused || asking || document.hidden) return;
    asking = true;
    try {
      const answer = await fetch(location.href, { cache: "no-store", headers: tag ? { "If-None-Match": tag } : {} });
      if (answer.status === 200) {
        const html = await answer.text();
        if (!paused) tag = take(html) ? answer.headers.get("etag") || "" : "";
      } else if (answer.status !== 304) {
        throw new Error(String(answer.status));
      }
      wait = EVERY;
      if (!paused) show("Live", "good");
    } catch {
      wait = Math.min(wait * 2, AT_MOST);
      if (!paused) show("Not reachable", "bad");
    }
    asking = false;
    timer = setTimeout(ask, wait);
  }

  toggle.addEventListener("click", () => {
    paused = !paused;
    toggle.setAttribute("aria-pressed", String(paused));
    show(paused ? "Paused" : "Live", paused ? "quiet" : "good");
    ask();
  });
  document.addEventListener("visibilitychange", ask);
  document.getElementById("live").hidden = false;
  show("Live", "good");
  timer = setTimeout(ask, EVERY);
})();
