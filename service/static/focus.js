// Where the focus is: it is moved, and not lost where something changes.

// What the focus can be given to by keys.
const CONTROLS = "a[href], button, input, select, textarea, summary";
const isUsable = (control) => !control.disabled && control.getClientRects().length > 0;

/** Give the focus to an element, even to one that keys do not stop at. */
export function focusOn(place, options) {
  if (place.tabIndex < 0) place.tabIndex = -1;
  place.focus(options);
}

/** Show other children. If the focus was on a control among them, it stays in its place: on the control that is there now, or near to it. */
export function replace(place, ...children) {
  const at = [...place.querySelectorAll(CONTROLS)].indexOf(document.activeElement);
  place.replaceChildren(...children);
  if (at < 0) return;
  const controls = [...place.querySelectorAll(CONTROLS)];
  focusOn(controls.slice(at).find(isUsable) ?? controls.slice(0, at).findLast(isUsable) ?? place, { preventScroll: true });
}

/** Go to a part of the page, as a link to it does. */
export function goTo(section) {
  const place = document.getElementById(section);
  place.scrollIntoView();
  focusOn(place, { preventScroll: true });
}

/** Links to what can be unfolded unfold it. */
export function openFolds() {
  for (const link of document.querySelectorAll("a[href^='#']")) {
    const target = document.getElementById(link.hash.slice(1));
    if (target.localName !== "details") continue;
    link.onclick = (event) => {
      event.preventDefault();
      target.open = true;
      target.scrollIntoView();
      target.querySelector("summary").focus({ preventScroll: true });
    };
  }
}
