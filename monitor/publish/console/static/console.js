// How old the page is, counted here, and said aloud when no answer comes. Everything else works without this file:
// should it not run, console.css still shows the same warning after a while.
(() => {
  "use strict";
  const live = document.getElementById("live");
  if (!live) return;
  const poll = Number(live.dataset.poll) * 1000;
  let answered = performance.now();

  // The server's own clock said how old its figures were; from then on this machine counts.
  const told = () => Number(document.getElementById("as-of")?.dataset.age ?? 0) * 1000;
  const ageOf = () => Math.floor((told() + performance.now() - answered) / 1000);

  function tick() {
    const ago = document.getElementById("ago");
    const old = document.getElementById("old");
    const seconds = ageOf();
    if (ago) ago.textContent = live.dataset.ago.replace("{n}", String(seconds));
    const silent = performance.now() - answered > 3 * poll;
    document.documentElement.classList.toggle("is-old", silent);
    if (old && silent) old.querySelector(".n").textContent = live.dataset.ago.replace("{n}", String(seconds));
  }

  document.addEventListener("htmx:after:swap", () => {
    answered = performance.now();
    tick();
  });
  setInterval(tick, 1000);
  tick();
})();
