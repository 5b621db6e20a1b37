"use strict";

// A page that says data-refresh="seconds" is fetched again and its main part
// exchanged, but never under the reader's hands: not while the page is hidden,
// text is selected, a detail is open or something in it has the focus.
const main = document.querySelector("main");
let shown = main.innerHTML;

function inHand() {
  return document.hidden || !getSelection().isCollapsed ||
    main.contains(document.activeElement) || main.querySelector("details[open]");
}

// Times are those of the reader's zone, which they name; beside a clock stays what the server said, in UTC.
function localTimes() {
  for (const t of main.querySelectorAll("time[datetime]")) {
    const at = new Date(t.dateTime);
    const zone = at.toLocaleTimeString("en", { timeZoneName: "short" }).split(" ").pop();
    const local = at.toLocaleString("sv-SE") + " " + zone;
    if ("clock" in t.dataset) {
      t.title = t.textContent;
      t.textContent = local;
    } else {
      t.title = local;
    }
  }
}

async function refresh() {
  const began = performance.now();
  try {
    if (!inHand()) {
      const answer = await fetch(location.href);
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const next = page.querySelector("main");
        document.documentElement.dataset.refresh = page.documentElement.dataset.refresh || "";
        if (next.innerHTML !== shown && !inHand()) {
          shown = next.innerHTML;
          main.replaceChildren(...next.childNodes);
          localTimes();
        }
      }
    }
  } catch {
    // The server is away, perhaps to start again: the next try tells.
  }
  wait(performance.now() - began);
}

// A slow answer is a busy server, which is asked less often.
function wait(took) {
  const seconds = Number(document.documentElement.dataset.refresh);
  if (seconds > 0) setTimeout(refresh, Math.max(seconds * 1000, took * 20));
}

localTimes();
wait(0);
