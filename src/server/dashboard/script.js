// Looks at the live part of a page again and again, and puts what has changed in its place. Without this script the page has
// links that do the same.
"use strict";
(() => {
  const region = document.querySelector("[data-live]");
  if (!region) return;
  const main = document.getElementById("content");
  let timer;

  const say = (words) => {
    let stale = document.getElementById("stale");
    if (!stale && words) {
      stale = Object.assign(document.createElement("p"), { id: "stale", className: "notice bad" });
      stale.setAttribute("role", "alert");
      main.prepend(stale);
    }
    if (stale) {
      stale.hidden = !words;
      if (stale.textContent !== words) stale.textContent = words;
    }
  };

  // What has the focus keeps it, where it is still there.
  const put = (old, fresh) => {
    if (old.innerHTML === fresh.innerHTML && old.className === fresh.className) return;
    const link = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    old.className = fresh.className;
    old.replaceChildren(...fresh.childNodes);
    if (link) for (const again of old.querySelectorAll("a")) if (again.getAttribute("href") === link) again.focus();
  };

  const look = async () => {
    clearTimeout(timer);
    try {
      const answer = await fetch(region.dataset.live, { cache: "no-store", redirect: "error" });
      if (answer.status === 401) return location.reload();
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (page.querySelector("[data-ended]")) return location.reload();
      const fresh = page.querySelector("[data-live]");
      for (const part of [...fresh.children]) put(document.getElementById(part.id), part);
      region.dataset.every = fresh.dataset.every;
      if (fresh.dataset.title) document.title = fresh.dataset.title;
      say("");
    } catch {
      say("The daemon does not answer: what is shown here is old.");
    }
    later();
  };

  const later = () => {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(look, 1000 * Number(region.dataset.every));
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
  document.documentElement.classList.add("live");
  later();
})();
