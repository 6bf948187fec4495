// Small help with elements. Text goes in as text only; nothing here takes markup.

export const byId = (id) => document.getElementById(id);

/** element('p', {class: 'x', hidden: true}, 'text', child) – false and null leave an attribute out. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Sets text only where it differs, so that nothing is laid out or read aloud again for no reason. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Copies text. The clipboard API is missing where the page is served without TLS from another machine. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element('textarea', { class: 'unseen', 'aria-hidden': 'true', tabindex: '-1' });
    const focused = document.activeElement;
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    focused?.focus();
    return done;
  }
}

/** Makes a button copy what `text()` gives, and say so on its face for a moment. */
export function copyButton(button, text, announce) {
  const label = button.textContent;
  let timer = 0;
  button.addEventListener('click', async () => {
    const done = await copyText(text());
    button.textContent = done ? 'Copied' : 'Could not copy';
    announce(button.textContent);
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = label;
    }, 1600);
  });
}
