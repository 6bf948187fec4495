// A virtual list: shows thousands of rows of equal height with only those in the document that can be seen.
// It is a listbox: one tab stop, arrow keys move, the row moved to is the selected one.
//
// The rows come from `source`: {length, at(position) from the newest = 0, positionOf(seq)}; each item has a `seq` that
// grows with time. A reader who has scrolled away from the top keeps sight of what they read while new rows come in.

const OVERSCAN = 6;

export class VirtualList {
  /** The selected item changed: (item or null, byKeyboard). */
  onSelect = () => {};
  /** Enter was pressed on the selected row. */
  onOpen = () => {};
  onScroll = () => {};

  selected = 0;

  #viewport;
  #body;
  #source;
  #makeRow;
  #drawRow;
  #rows = new Map();
  #rowHeight = 0;
  #newestDrawn = 0;
  #pressed = null;

  /** makeRow() gives an empty row element; drawRow(row, item) fills it. */
  constructor({ viewport, body, source, makeRow, drawRow }) {
    this.#viewport = viewport;
    this.#body = body;
    this.#source = source;
    this.#makeRow = makeRow;
    this.#drawRow = drawRow;
    viewport.addEventListener('keydown', (event) => this.#key(event));
    viewport.addEventListener('pointerdown', (event) => this.#press(event));
    viewport.addEventListener('click', (event) => this.#click(event));
    viewport.addEventListener('scroll', () => {
      this.draw();
      this.onScroll();
    });
    new ResizeObserver(() => {
      this.#rowHeight = 0;
      this.draw();
    }).observe(viewport);
  }

  get atTop() {
    return this.#viewport.scrollTop < 2;
  }

  /** How many rows lie above the first one in sight. */
  get above() {
    return this.#rowHeight ? Math.floor(this.#viewport.scrollTop / this.#rowHeight) : 0;
  }

  toTop() {
    this.#viewport.scrollTop = 0;
    this.draw();
  }

  select(seq, byKeyboard = false) {
    this.selected = seq;
    const position = seq ? this.#source.positionOf(seq) : -1;
    if (byKeyboard && position >= 0) this.#reveal(position);
    this.draw();
    this.onSelect(position >= 0 ? this.#source.at(position) : null, byKeyboard);
  }

  /** Forgets what is drawn: the source holds something else now. */
  reset() {
    this.#newestDrawn = 0;
    this.#viewport.scrollTop = 0;
    this.draw();
  }

  draw() {
    const { length } = this.#source;
    const height = this.#measure();
    this.#keepSight(height);
    const from = Math.max(0, Math.floor(this.#viewport.scrollTop / height) - OVERSCAN);
    const to = Math.min(length, Math.ceil((this.#viewport.scrollTop + this.#viewport.clientHeight) / height) + OVERSCAN);
    this.#body.style.height = `${length * height}px`;
    this.#body.style.paddingTop = `${Math.min(from, length) * height}px`;
    const stale = new Map(this.#rows);
    let place = this.#body.firstElementChild;
    for (let position = from; position < to; position += 1) {
      const item = this.#source.at(position);
      const row = this.#rows.get(item.seq) ?? this.#add(item);
      stale.delete(item.seq);
      row.setAttribute('aria-posinset', position + 1);
      row.setAttribute('aria-setsize', length);
      row.setAttribute('aria-selected', item.seq === this.selected);
      if (row === place) place = place.nextElementSibling;
      else this.#body.insertBefore(row, place);
    }
    for (const [seq, row] of stale) {
      row.remove();
      this.#rows.delete(seq);
    }
    const active = this.#rows.get(this.selected);
    if (active) this.#viewport.setAttribute('aria-activedescendant', active.id);
    else this.#viewport.removeAttribute('aria-activedescendant');
  }

  #add(item) {
    const row = this.#makeRow();
    row.id = `row-${item.seq}`;
    row.dataset.seq = item.seq;
    row.setAttribute('role', 'option');
    this.#drawRow(row, item);
    this.#rows.set(item.seq, row);
    return row;
  }

  #measure() {
    if (this.#rowHeight) return this.#rowHeight;
    const probe = this.#makeRow();
    probe.setAttribute('aria-hidden', 'true');
    this.#body.append(probe);
    this.#rowHeight = probe.offsetHeight;
    probe.remove();
    return this.#rowHeight || 32;
  }

  #keepSight(height) {
    const newest = this.#source.at(0)?.seq ?? 0;
    if (newest === this.#newestDrawn) return;
    if (this.#newestDrawn && !this.atTop) {
      let added = 0;
      while (added < this.#source.length && this.#source.at(added).seq > this.#newestDrawn) added += 1;
      // The body must be tall enough before the browser lets us scroll there.
      this.#body.style.height = `${this.#source.length * height}px`;
      this.#viewport.scrollTop += added * height;
    }
    this.#newestDrawn = newest;
  }

  #reveal(position) {
    const top = position * this.#rowHeight;
    const bottom = top + this.#rowHeight;
    const { scrollTop, clientHeight } = this.#viewport;
    if (top < scrollTop) this.#viewport.scrollTop = top;
    else if (bottom > scrollTop + clientHeight) this.#viewport.scrollTop = bottom - clientHeight;
  }

  #key(event) {
    if (event.target !== this.#viewport || event.ctrlKey || event.altKey || event.metaKey) return;
    const { length } = this.#source;
    if (!length) return;
    const page = Math.max(1, Math.floor(this.#viewport.clientHeight / this.#rowHeight) - 1);
    const here = this.selected ? this.#source.positionOf(this.selected) : -1;
    const moves = {
      ArrowDown: here + 1,
      ArrowUp: here < 0 ? 0 : here - 1,
      PageDown: here + page,
      PageUp: here - page,
      Home: 0,
      End: length - 1,
    };
    if (event.key === 'Enter' && here >= 0) {
      event.preventDefault();
      this.onOpen();
    } else if (event.key in moves) {
      event.preventDefault();
      const position = Math.min(length - 1, Math.max(0, moves[event.key]));
      this.select(this.#source.at(position).seq, true);
    }
  }

  // Rows move under the pointer while events come in. What counts is the row that was pressed, not the one that has
  // come to lie there by the time the button is let go.
  #press(event) {
    const row = event.target.closest?.('[data-seq]');
    this.#pressed = row ? { seq: Number(row.dataset.seq), x: event.clientX, y: event.clientY } : null;
  }

  #click(event) {
    const pressed = this.#pressed;
    this.#pressed = null;
    if (!pressed || Math.abs(event.clientX - pressed.x) + Math.abs(event.clientY - pressed.y) > 8) return;
    if (this.#source.positionOf(pressed.seq) >= 0) this.select(pressed.seq);
  }
}
