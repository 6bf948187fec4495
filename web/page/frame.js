// A frame: drawing asked for many times is done once, when the browser is about to paint.

export function framed(draw) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      draw();
    });
  };
}
