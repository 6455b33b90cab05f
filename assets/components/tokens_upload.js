// A text file from the reader's own disk. It is read here; Python gets its beginning as text, or a
// sentence that says why not.

const mounted = new WeakMap();

/** The text of some bytes, at most `most` characters of it, or why there is none. */
export function readBytes(bytes, name, most, limit) {
  if (bytes.length > limit)
    return { problem: `${name} has ${bytes.length.toLocaleString("en-US")} bytes; a file may have ${limit.toLocaleString("en-US")}.` };
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const all = [...text];
    return { text: all.slice(0, most).join(""), characters: all.length, name };
  } catch {
    return { problem: `${name} is no text in UTF-8; your corpus is unchanged.` };
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  if (!root.firstElementChild)
    root.innerHTML = `<label>Or a text file, in UTF-8 <input type="file" accept="text/*,.txt,.md,.csv,.py"></label>`;
  mounted.set(parentElement, setTriggerValue);
  root.querySelector("input").onchange = async (event) => {
    const file = event.target.files[0];
    event.target.value = ""; // the same file may be chosen again
    if (!file) return;
    const bytes = file.size > data.limit ? { length: file.size } : new Uint8Array(await file.arrayBuffer());
    mounted.get(parentElement)?.("file", readBytes(bytes, file.name, data.most, data.limit));
  };
  return () => mounted.delete(parentElement);
}
