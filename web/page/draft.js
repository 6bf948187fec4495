// A draft: what stands in a form, kept for this tab over reloads. Where storage is forbidden nothing is kept.

export class Draft {
  #key;
  #form;

  constructor(key, form) {
    this.#key = key;
    this.#form = form;
    form.addEventListener('input', () => this.save());
    form.addEventListener('change', () => this.save());
  }

  save() {
    try {
      sessionStorage.setItem(this.#key, JSON.stringify(Object.fromEntries(new FormData(this.#form))));
    } catch {
      // Not worth a word: the form works without.
    }
  }

  restore() {
    let kept = {};
    try {
      kept = JSON.parse(sessionStorage.getItem(this.#key)) ?? {};
    } catch {
      return;
    }
    for (const [name, value] of Object.entries(kept)) {
      const field = this.#form.elements.namedItem(name);
      if (field && typeof value === 'string') field.value = value;
    }
  }
}
