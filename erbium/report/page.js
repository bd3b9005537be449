// SPDX-License-Identifier: BSD-2-Clause
// Full screen for a projector: the button or the key F begins and ends it, arrow keys and the space bar go from section
// to section. The page is complete without it.
(() => {
  const root = document.documentElement;
  const button = document.querySelector(".projector-button");
  const stops = [document.querySelector("header"), ...document.querySelectorAll("main > *")];
  const on = () => root.classList.contains("projector");

  function show(projector) {
    root.classList.toggle("projector", projector);
    button.setAttribute("aria-pressed", String(projector));
    button.firstChild.textContent = projector ? "Leave full screen " : "Full screen ";
    window.dispatchEvent(new Event("resize"));
  }

  function toggle() {
    const projector = !on();
    show(projector);
    // A frame may not have the right to the whole screen: large type is of use there, too.
    if (projector) root.requestFullscreen?.().catch(() => {});
    else if (document.fullscreenElement) document.exitFullscreen();
  }

  function go(step) {
    const here = stops.findLastIndex(stop => stop.getBoundingClientRect().top < 8);
    stops[Math.min(Math.max(here + step, 0), stops.length - 1)].scrollIntoView();
  }

  button.hidden = false;
  button.addEventListener("click", toggle);
  // Esc ends the full screen by itself.
  document.addEventListener("fullscreenchange", () => { if (!document.fullscreenElement) show(false); });
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const steps = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 };
    if (event.key === "f" || event.key === "F") toggle();
    else if (event.key === "Escape" && on()) show(false);
    else if (on() && event.key in steps && event.target !== button) go(steps[event.key]);
    else return;
    event.preventDefault();
  });
})();
