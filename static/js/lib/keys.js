// Keys by what is written on them, whatever the keyboard.

export function isKeyS({ key, code }) {
  const isLatin = /^[a-z]$/i.test(key);
  return key.toLowerCase() === "s" || (code === "KeyS" && !isLatin); // Caps Lock; other alphabets
}
