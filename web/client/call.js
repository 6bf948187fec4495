// A call into the application. What it throws is its own: told to the browser, and not taken for an error of what we were doing.

export function call(hearer, ...facts) {
  try {
    hearer?.(...facts);
  } catch (error) {
    setTimeout(() => {
      throw error;
    });
  }
}
