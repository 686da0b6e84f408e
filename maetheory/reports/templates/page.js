"use strict";
(() => {
  // Contents are open where they stand beside the text.
  if (window.matchMedia("(min-width: 75rem)").matches) {
    document.querySelectorAll("nav details").forEach((details) => { details.open = true; });
  }

  // Tables are sorted by the button of a column: ascending, descending, then as they were.
  const numberIn = (text) => {
    const found = /^[+\u2212-]?\d+(\.\d+)?(e[+-]?\d+)?/i.exec(text.replace(/[\s,](?=\d{3}(\D|$))/g, ""));
    return found ? Number(found[0].replace("\u2212", "-")) : NaN;
  };
  const signs = { none: "\u2195", ascending: "\u2191", descending: "\u2193" };
  const following = { none: "ascending", ascending: "descending", descending: "none" };

  document.querySelectorAll("table").forEach((table) => {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const headings = [...table.tHead.rows[0].cells];
    if (rows.length < 2) return;
    const order = (place, direction) => {
      if (direction === "none") return rows;
      const texts = new Map(rows.map((row) => [row, row.cells[place].textContent.trim()]));
      const filled = rows.filter((row) => !["", "\u2013"].includes(texts.get(row)));
      const empty = rows.filter((row) => !filled.includes(row));
      const numeric = filled.every((row) => !Number.isNaN(numberIn(texts.get(row))));
      const compare = (a, b) => numeric
        ? numberIn(texts.get(a)) - numberIn(texts.get(b))
        : texts.get(a).localeCompare(texts.get(b), "en", { numeric: true });
      const sign = direction === "ascending" ? 1 : -1;
      return [...filled.sort((a, b) => sign * compare(a, b)), ...empty];
    };
    headings.forEach((heading, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.textContent = signs.none;
      button.setAttribute("aria-label", `Sort by ${heading.dataset.name}`);
      heading.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const direction = following[heading.getAttribute("aria-sort")];
        headings.forEach((other) => {
          other.setAttribute("aria-sort", other === heading ? direction : "none");
          other.querySelector("button.sort").textContent = other === heading ? signs[direction] : signs.none;
        });
        body.append(...order(place, direction));
      });
      heading.append(button);
    });
  });

  // The meaning of a word is shown beside it when it is pointed at, focused or tapped; a second tap follows its link.
  const bubble = document.createElement("div");
  bubble.id = "bubble";
  bubble.hidden = true;
  bubble.setAttribute("aria-hidden", "true"); // the link is described by the glossary itself
  document.body.append(bubble);
  let shown = null;
  const hide = () => { bubble.hidden = true; shown = null; };
  const show = (link) => {
    bubble.textContent = document.getElementById(link.getAttribute("aria-describedby")).textContent;
    bubble.hidden = false;
    shown = link;
    place();
  };
  const place = () => {
    const word = shown.getClientRects()[0];
    if (word.bottom < 0 || word.top > window.innerHeight) {
      hide();
      return;
    }
    const left = Math.min(word.left, document.documentElement.clientWidth - bubble.offsetWidth - 8);
    const below = word.bottom + 6;
    const above = word.top - bubble.offsetHeight - 6;
    bubble.style.left = `${Math.max(8, left)}px`;
    bubble.style.top = `${below + bubble.offsetHeight > window.innerHeight && above > 0 ? above : below}px`;
  };
  document.querySelectorAll("a.term").forEach((link) => {
    let opened = false; // by the tap whose click is still to come
    link.addEventListener("pointerdown", (event) => { opened = event.pointerType !== "mouse" && shown !== link; });
    link.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") show(link); });
    link.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && document.activeElement !== link) hide();
    });
    link.addEventListener("focus", () => show(link));
    link.addEventListener("blur", hide);
    link.addEventListener("click", (event) => {
      if (opened) {
        event.preventDefault();
        show(link);
      } else {
        hide();
      }
      opened = false;
    });
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  window.addEventListener("scroll", () => { if (shown) place(); }, { passive: true, capture: true });
})();
