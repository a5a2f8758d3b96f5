"use strict";

// The page is its own watchdog: whatever happens to the program behind it, to the connection or to this tab, a picture
// that is older than the limit is dimmed and blurred, and a banner says that there is no guidance.

const STALE_AFTER_MS = Number(document.body.dataset.staleAfterMs);
const CHECK_EVERY_MS = 40;
const RETRY_AFTER_MS = 250;
const ANSWER_WITHIN_MS = 3000;

const stage = document.getElementById("stage");
const canvas = document.getElementById("picture");
const banner = document.getElementById("banner");
const stateLine = document.getElementById("state");
const ageLine = document.getElementById("age");
const latchedList = document.getElementById("latched");
const soundButton = document.getElementById("sound");
const acknowledgeButton = document.getElementById("acknowledge");

const shown = { takenAtMs: -Infinity, isCurrent: false, alerts: [], sounding: "", connected: false, any: false };
const alarm = new Alarm();

function ageMs() {
  return performance.now() - shown.takenAtMs;
}

function check() {
  const age = ageMs();
  const isOld = !(age <= STALE_AFTER_MS);
  stage.classList.toggle("stale", isOld || !shown.isCurrent);
  // The program itself has taken the marks off: its picture need not be blurred.
  stage.classList.toggle("withdrawn", shown.any && !shown.isCurrent);
  ageLine.textContent = shown.any ? (age < 1000 ? `${Math.round(age)} ms old` : `${(age / 1000).toFixed(1)} s old`) : "";
  const words = shown.connected ? shown.alerts : ["connection to hipseg lost"];
  stateLine.textContent = words.length ? words.join(" · ") : isOld ? "no new image" : "live";
  // A program that does not answer can raise no alert: the page sounds for it.
  alarm.sound(shown.any && !shown.connected ? "medium" : shown.sounding);
  stateLine.classList.toggle("trouble", words.length > 0 || isOld);
  if (!shown.any) {
    stateLine.textContent = "waiting for the first image";
  }
}

async function take(answer) {
  const receivedAtMs = performance.now();
  const bitmap = await createImageBitmap(await answer.blob());
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
  }
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  shown.takenAtMs = receivedAtMs - Number(answer.headers.get("X-Hipseg-Age-Ms"));
  shown.any = true;
}

function latch(entries) {
  const items = entries.map((entry) => {
    const item = document.createElement("li");
    const noted = entry.acknowledged ? "acknowledged" : "not acknowledged";
    item.textContent = entry.message;
    item.title = `${entry.priority} priority, ${entry.stands ? "stands" : "has passed"}, ${noted}`;
    item.className = [entry.priority, entry.stands ? "" : "passed", entry.acknowledged ? "acknowledged" : ""].join(" ");
    return item;
  });
  latchedList.replaceChildren(...items);
  acknowledgeButton.disabled = entries.every((entry) => entry.acknowledged);
}

async function acknowledge() {
  try {
    await fetch("/acknowledge", { method: "POST", headers: { "X-Hipseg-By-Hand": "1" } });
  } catch (fault) {
    shown.connected = false;
  }
}

async function follow() {
  let after = -1;
  for (;;) {
    try {
      const limits = { cache: "no-store", signal: AbortSignal.timeout(ANSWER_WITHIN_MS) };
      const answer = await fetch(`/frame?after=${after}`, limits);
      if (answer.status === 200) {
        await take(answer);
        after = Number(answer.headers.get("X-Hipseg-Number"));
      }
      if (answer.headers.has("X-Hipseg-Current")) {
        shown.isCurrent = answer.headers.get("X-Hipseg-Current") === "1";
        shown.alerts = JSON.parse(answer.headers.get("X-Hipseg-Alerts"));
        latch(JSON.parse(answer.headers.get("X-Hipseg-Latched")));
        shown.sounding = answer.headers.get("X-Hipseg-Sounding");
      }
      shown.connected = answer.ok;
    } catch (fault) {
      shown.connected = false;
      await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER_MS));
    }
    check();
  }
}

soundButton.addEventListener("click", () => {
  const isOn = alarm.toggle();
  soundButton.textContent = isOn ? "Sound is on" : "Sound is off";
  soundButton.setAttribute("aria-pressed", String(isOn));
});
acknowledgeButton.addEventListener("click", acknowledge);
document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() === "a" && !event.ctrlKey && !event.metaKey && !event.altKey) {
    acknowledge();
  }
});
setInterval(check, CHECK_EVERY_MS);
document.addEventListener("visibilitychange", check);
check();
follow();
