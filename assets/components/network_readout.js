// What the playground says in numbers: the losses so far, and one neuron with its formula and a field
// for each weight, to type in or to drag. It hears from network_playground.js.

const mounted = new WeakMap();
const fixed = (v, digits = 2) => v.toFixed(digits).replace("-", "−").replace(/^−(0\.0+)$/, "$1");
const brackets = (v) => (fixed(v).startsWith("−") ? `(${fixed(v)})` : fixed(v));

function tell(slot, value) {
  dispatchEvent(new CustomEvent("network-edit", { detail: { slot, value } }));
}

function wire(m, input) {
  const slot = Number(input.dataset.slot);
  input.oninput = () => {
    if (input.value !== "" && Number.isFinite(Number(input.value))) tell(slot, Number(input.value));
  };
  const handle = input.previousElementSibling;
  handle.onpointerdown = (event) => {
    handle.setPointerCapture(event.pointerId);
    m.scrub = [event.clientX, Number(input.value)];
  };
  handle.onpointermove = (event) => {
    if (m.scrub) tell(slot, m.scrub[1] + (event.clientX - m.scrub[0]) * 0.02);
  };
  handle.onpointerup = handle.onpointercancel = () => { m.scrub = null; };
}

function losses(m, { frames, at, held, trouble, diverged }) {
  const frame = frames[at];
  const [trainLoss, trainRight, testLoss, testRight] = frame.scores;
  const end = diverged && at === frames.length - 1 ? " After this step the numbers ran out of bounds: the learning rate is too large." : "";
  const test = held ? ` <b class="loss">Test ${fixed(testLoss, 3)}</b>, <b class="right">${fixed(100 * testRight, 1)} %</b> right.` : " No test points.";
  m.$(".say").innerHTML = trouble ? escapeHtml(trouble) : `<b class="loss">Train ${fixed(trainLoss, 3)}</b>, ${fixed(100 * trainRight, 1)} % right.${test}${end}`;
  const to = Math.max(100, frames[frames.length - 1].step);
  const most = Math.max(0.1, Math.min(2, Math.max(...frames.map((f) => Math.max(f.scores[0], held ? f.scores[2] : 0)))));
  const line = (k) => frames.map((f, i) => `${i ? "L" : "M"}${((f.step / to) * 300).toFixed(1)},${(96 - Math.min(1, f.scores[k] / most) * 92).toFixed(1)}`).join("");
  m.$(".train").setAttribute("d", line(0));
  m.$(".test").setAttribute("d", held ? line(2) : "");
  m.$(".now").setAttribute("d", `M${(frame.step / to) * 300},0V96`);
  m.$(".at").max = frames.length - 1;
  m.$(".at").value = at;
  m.$(".at").setAttribute("aria-valuetext", `step ${frame.step}, train loss ${trainLoss.toFixed(3)}`);
}

function show(m, look) {
  const place = `at the cross (${fixed(look.probe[0])}, ${fixed(look.probe[1])})`;
  m.root.dataset.from = look.from;
  const fields = m.$(".fields");
  if (!look.terms) {
    m.$(".formula").innerHTML = `<b>${look.name}</b> is an input: ${place} it is <b>${fixed(look.output)}</b>. An input has no weights.`;
    fields.replaceChildren();
    m.key = look.key;
    return;
  }
  const all = [...look.terms, look.bias];
  if (m.key !== look.key) {
    m.key = look.key;
    fields.innerHTML = all.map((t) => `<label><span class="scrub" title="Drag sideways">${t.label.replace("neuron ", "from ")}</span>
      <input type="number" step="0.1" min="-20" max="20" data-slot="${t.slot}" aria-label="${t === look.bias ? "bias" : `weight from ${t.label}`} to ${look.name}"></label>`).join("");
    fields.querySelectorAll("input").forEach((input) => wire(m, input));
  }
  m.$(".formula").innerHTML = `<b>${look.name}</b>, ${place}: ${look.bend}( ${look.terms.map((t) => `${brackets(t.weight)}·${fixed(t.input)}`).join(" + ")} + ${brackets(look.bias.weight)} )
    = ${look.bend}( ${fixed(look.sum)} ) = <b class="result">${fixed(look.output, 3)}</b>`;
  const active = m.root.getRootNode().activeElement;
  fields.querySelectorAll("input").forEach((input, i) => {
    if (input !== active) input.value = fixed(all[i].weight).replace("−", "-");
  });
}

export default function ({ parentElement }) {
  const root = parentElement.querySelector(".root");
  let m = mounted.get(parentElement);
  if (!m) {
    root.innerHTML = `<p class="say"></p><svg class="losses" viewBox="0 0 300 98" preserveAspectRatio="none" aria-hidden="true"><path class="train"/><path class="test"/><path class="now"/></svg>
      <input type="range" class="at" min="0" step="1" aria-label="Step that is shown">
      <p class="quiet">The loss so far: solid on the points it learns from, dashed on those held back. The slider goes back in time.</p>
      <p class="formula"></p><div class="fields" role="group" aria-label="Weights of this neuron"></div>`;
    m = { root, $: (s) => root.querySelector(s) };
    m.hear = { "network-look": ({ detail }) => show(m, detail), "network-frames": ({ detail }) => losses(m, detail) };
    mounted.set(parentElement, m);
    Object.entries(m.hear).forEach(([name, f]) => addEventListener(name, f));
    m.$(".at").oninput = (event) => dispatchEvent(new CustomEvent("network-goto", { detail: Number(event.target.value) }));
    dispatchEvent(new CustomEvent("network-hello"));
  }
  return () => {
    Object.entries(m.hear).forEach(([name, f]) => removeEventListener(name, f));
    mounted.delete(parentElement);
  };
}
