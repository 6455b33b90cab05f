// Bytes as they are shown: text where they are text, else hexadecimal. Functions only.

const _strict = new TextDecoder("utf-8", { fatal: true });

/** Bytes from hexadecimal. */
function fromHex(hex) {
  return Uint8Array.from(hex.match(/../g) || [], (pair) => parseInt(pair, 16));
}

/** "20 6D 61" for the bytes from `a` to `b`. */
function hexOf(bytes, a, b) {
  return [...bytes.slice(a, b)].map((byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
}

/** A piece of text as a name: white space made visible, bytes that are no text as <E2>. */
function pieceName(bytes, a, b) {
  const piece = bytes.slice(a, b);
  try {
    return visible(_strict.decode(piece));
  } catch {
    return [...piece].map((byte) => `<${byte.toString(16).toUpperCase().padStart(2, "0")}>`).join("");
  }
}
