// The whole model as a map: stations, the tensors of one, the cells of a tensor; and a tour of it.

const mounted = new WeakMap();
const WIDTHS = [0, 5, 12, 28, 58], NUMBERS = 44; // widths of a cell; from NUMBERS on it is written in

const PAGE = `
  <label for="text">Your sentence</label>
  <textarea id="text" rows="1" spellcheck="false" autocomplete="off" autocapitalize="off" dir="auto"></textarea>
  <div class="presets" role="group" aria-label="Sentences to try"></div>
  <div class="notices"></div>
  <div class="tour"><div class="steps"><button type="button" class="back">Back</button><button type="button" class="next"></button>
    <button type="button" class="leave">Leave the tour</button></div><p class="stop" aria-live="polite"></p></div>
  <div class="strip" role="group" aria-label="Stations of the model"></div>
  <p class="about quiet"></p>
  <div class="tiles" role="group" aria-label="Tensors of this station"></div>
  <div class="opened"><div class="bar"><h3></h3><div class="zoom" role="group" aria-label="Zoom">
      <button type="button" class="out" aria-label="Zoom out">−</button><button type="button" class="in" aria-label="Zoom in">+</button></div></div>
    <p class="facts quiet"></p>
    <div class="pages" role="group" aria-label="Columns"><button type="button" class="before">Earlier columns</button><span></span><button type="button" class="after">Later columns</button></div>
    <canvas class="cells" tabindex="0" role="application"></canvas>
    <p class="say" aria-live="polite"></p></div>`;

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root"), $ = (selector) => root.querySelector(selector);
  let state = mounted.get(parentElement);
  if (!state) {
    root.innerHTML = PAGE;
    state = { rev: null, zoom: 0, x: 0, y: 0, key: "", heard: "" };
    state.ask = debounce((place) => state.send("place", place), 110);
    state.type = debounce((text) => state.tell(text), 120);
    state.settle = debounce((text) => state.send("settled", text), 1200);
    state.tell = (text) => { state.send("text", text); state.settle(text); };
    mounted.set(parentElement, state);
  }
  state.send = setStateValue;
  const line = $("textarea"), { tensor, names, tour } = data, T = names.length;
  if (state.rev !== data.rev) {
    state.rev = data.rev;
    line.value = data.text;
  }
  const heard = JSON.stringify([data.place, data.rev]);
  if (state.heard !== heard) {
    state.heard = heard;
    if (!state.place || state.place.tensor !== data.place.tensor || state.waits || state.read !== data.text || state.place.row >= T) state.place = { ...data.place };
    state.waits = false;
    state.read = data.text;
  }
  const place = state.place;
  const go = (change) => { state.ask.cancel(); state.waits = true; setStateValue("place", { ...place, first: 0, ...change }); };

  const fit = () => { line.style.height = "auto"; line.style.height = `${line.scrollHeight + 2}px`; };
  line.maxLength = data.longest;
  const fresh = (text) => { line.value = text; state.waits = true; Object.assign(place, { row: -1, column: -1 }); state.send("place", { ...place, first: 0 }); fit(); };
  line.oninput = () => { fresh(line.value.replace(/\n/g, " ")); state.type(line.value); };
  $(".presets").innerHTML = data.presets.map((p, i) => `<button type="button" data-i="${i}">${escapeHtml(p)}</button>`).join("");
  root.querySelectorAll(".presets button").forEach((button) => {
    button.onclick = () => { fresh(data.presets[Number(button.dataset.i)]); state.type.cancel(); state.tell(line.value); };
  });
  $(".notices").innerHTML = data.notices.map((n) => `<p class="quiet">${escapeHtml(n)}</p>`).join("");

  const on = tour.number >= 0, stops = tour.places.length;
  $(".tour").classList.toggle("on", on);
  $(".back").hidden = $(".leave").hidden = !on;
  $(".back").disabled = tour.number === 0;
  $(".next").textContent = on ? (tour.number === stops - 1 ? "From the beginning" : "Next") : `Guided tour, ${stops} stops`;
  $(".stop").innerHTML = on ? `<b>${tour.number + 1} of ${stops}: ${escapeHtml(tour.title)}.</b> ${escapeHtml(tour.text)}` : "";
  const travel = (i) => go(tour.places[(i + stops) % stops]);
  $(".next").onclick = () => travel(tour.number + 1);
  $(".back").onclick = () => travel(tour.number - 1);
  $(".leave").onclick = () => go({ row: place.row, column: place.column, first: data.place.first, tour: -1 });

  const colors = colorsOf(root), along = (selector) => {
    const all = [...root.querySelectorAll(`${selector} button`)];
    all.forEach((b, i) => {
      b.onkeydown = (event) => {
        const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -all.length, End: all.length }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        all[Math.min(all.length - 1, Math.max(0, i + step))].focus();
      };
    });
  };
  const fill = (box, html, key) => { if (box.dataset.key !== key) { box.dataset.key = key; box.innerHTML = html(); return true; } return false; };
  const look = JSON.stringify([colors.paper, data.text, data.ids, data.strip.length]);
  const many = data.strip.length > 12;
  if (fill($(".strip"), () => data.strip.map((s) => `<button type="button" data-key="${s.key}" class="${s.thumb ? "" : "end"}" aria-label="${
    s.key === "in" || s.key === "out" ? s.label : `Layer ${s.label}`}">${s.thumb ? "<canvas></canvas>" : ""}<span>${
    s.key === "in" || s.key === "out" || many ? s.label : `Layer ${s.label}`}</span></button>`).join('<i aria-hidden="true">→</i>'), look)) {
    root.querySelectorAll(".strip button").forEach((b, i) => data.strip[i].thumb && paintThumb(b.querySelector("canvas"), data.strip[i].thumb, colors));
  }
  $(".strip").classList.toggle("many", many);
  root.querySelectorAll(".strip button").forEach((b) => {
    b.setAttribute("aria-pressed", b.dataset.key === data.station);
    b.onclick = () => { const key = b.dataset.key, part = place.tensor.split(".").slice(2).join(".");
      go({ station: key, tensor: part && key !== "in" && key !== "out" ? `blocks.${key}.${part}` : "", column: key === data.station ? place.column : -1, tour: -1 }); };
  });
  along(".strip");
  $(".about").textContent = data.about;
  if (fill($(".tiles"), () => data.tiles.map((t, i) => `${t.group && t.group !== data.tiles[i - 1]?.group ? `<p class="group">${t.group}</p>` : ""}<button type="button" data-name="${t.name}" title="${escapeHtml(t.meaning)}"><span class="by">${
    escapeHtml(t.by)}</span><canvas></canvas><span class="name ${t.color}">${escapeHtml(t.label)}</span><span class="shape">${t.shape}<br>${t.letters.replace(/ /g, " · ")}</span></button>`).join(""),
  look + data.station)) {
    root.querySelectorAll(".tiles button").forEach((b, i) => paintThumb(b.querySelector("canvas"), data.tiles[i].thumb, colors));
  }
  root.querySelectorAll(".tiles button").forEach((b) => {
    b.setAttribute("aria-pressed", b.dataset.name === tensor.name);
    b.onclick = () => go({ tensor: b.dataset.name, row: place.row, column: -1, tour: -1 });
  });
  along(".tiles");

  const opened = data.tiles.find((t) => t.name === tensor.name);
  $("h3").textContent = tensor.title[0].toUpperCase() + tensor.title.slice(1);
  $(".facts").textContent = `${opened.meaning[0].toUpperCase()}${opened.meaning.slice(1)}. ${opened.letters.replace(/ /g, " × ")} = ${opened.shape}; from ${number(tensor.least)} to ${
    number(tensor.most)}, root mean square ${number(tensor.size)}. Made by ${tensor.by}.`;
  const shownColumns = tensor.values.shape[1], values = unpack(tensor.values), paged = tensor.columns > shownColumns || tensor.first > 0;
  $(".pages").hidden = !paged;
  $(".pages span").textContent = `${(tensor.first + 1).toLocaleString("en")} to ${(tensor.first + shownColumns).toLocaleString("en")} of ${tensor.columns.toLocaleString("en")}`;
  $(".before").disabled = tensor.first === 0;
  $(".after").disabled = tensor.first + shownColumns >= tensor.columns;
  $(".before").onclick = () => go({ first: tensor.first - tensor.window, column: Math.max(0, tensor.first - tensor.window) });
  $(".after").onclick = () => go({ first: tensor.first + tensor.window, column: tensor.first + tensor.window });

  const canvas = $(".cells"), context = canvas.getContext("2d"), largest = Math.max(Math.abs(tensor.least), Math.abs(tensor.most)) || 1;
  if (state.key !== tensor.name) { state.key = tensor.name; state.x = state.y = 0; }
  const at = (row, column) => values[row * shownColumns + column - tensor.first];
  const columnName = (c) => {
    if (tensor.called.length) return `“${tensor.called[c - tensor.first]}”`;
    if (!tensor.group) return `number ${c + 1}`;
    const head = Math.floor(c / tensor.group) + 1, j = c % tensor.group;
    return tensor.pairs ? `head ${head}, looking at “${names[j]}”` : `head ${head}, number ${j + 1}`;
  };
  const say = (row, column, how) => {
    $(".say").innerHTML = `Token ${row + 1} <b>${escapeHtml(names[row])}</b>, ${escapeHtml(columnName(column))}: <b class="number">${number(at(row, column), 4)}</b>${how}`;
    canvas.setAttribute("aria-label", `${tensor.title}: token ${row + 1}, ${columnName(column)}, ${number(at(row, column), 4)}. Arrow keys move, plus and minus zoom.`);
  };

  function layout() {
    const box = canvas.clientWidth || 600, left = box < 480 ? 62 : 96, W = box - left;
    const width = Math.max(W / shownColumns, WIDTHS[state.zoom]), height = Math.max(Math.min(22, Math.max(5, 330 / T)), Math.min(24, WIDTHS[state.zoom]));
    const H = Math.min(430, T * height) + 4;
    return { box, left, W, H, width, height, mostX: Math.max(0, shownColumns * width - W), mostY: Math.max(0, T * height - H + 4) };
  }

  function draw(center) {
    const l = layout(), ratio = devicePixelRatio || 1, column = place.column - tensor.first;
    if (center) {
      const cx = column * l.width, cy = place.row * l.height;
      if (cx < state.x || cx + l.width > state.x + l.W) state.x = cx + l.width / 2 - l.W / 2;
      if (cy < state.y || cy + l.height > state.y + l.H) state.y = cy + l.height / 2 - l.H / 2;
    }
    state.x = Math.min(l.mostX, Math.max(0, state.x));
    state.y = Math.min(l.mostY, Math.max(0, state.y));
    canvas.width = l.box * ratio;
    canvas.height = l.H * ratio;
    canvas.style.height = `${l.H}px`;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const css = (c, a = 1) => `rgb(${c.join(" ")} / ${a})`, family = getComputedStyle(root).fontFamily;
    const c0 = Math.floor(state.x / l.width), c1 = Math.min(shownColumns - 1, Math.floor((state.x + l.W) / l.width));
    const r0 = Math.floor(state.y / l.height), r1 = Math.min(T - 1, Math.floor((state.y + l.H) / l.height));
    context.save();
    context.beginPath();
    context.rect(l.left, 0, l.W, l.H);
    context.clip();
    const gap = l.width > 8 ? 1 : 0;
    for (let r = r0; r <= r1; r++) for (let c = c0; c <= c1; c++) {
      const v = values[r * shownColumns + c], x = l.left + c * l.width - state.x, y = r * l.height - state.y;
      if (v < HIDDEN) { if (l.width > 8) { context.strokeStyle = css(colors.line); context.strokeRect(x + 1.5, y + 1.5, l.width - 3, l.height - 3); } continue; }
      context.fillStyle = css(colorOf(v / largest, colors));
      context.fillRect(x, y, Math.max(l.width - gap, 0.7), l.height - (l.height > 8 ? 1 : 0));
      if (l.width >= NUMBERS) {
        context.font = `11px ${family}`;
        context.textAlign = "center";
        context.fillStyle = css(Math.sqrt(Math.abs(v / largest)) > 0.62 ? colors.paper : colors.text);
        context.fillText(number(v, 3), x + l.width / 2, y + l.height / 2 + 4);
      }
    }
    if (tensor.group) for (let c = tensor.group - (tensor.first % tensor.group); c < shownColumns; c += tensor.group) {
      context.fillStyle = css(colors.quiet);
      context.fillRect(l.left + c * l.width - state.x - 0.5, 0, 1, l.H);
    }
    if (column >= 0 && column < shownColumns) {
      const x = l.left + column * l.width - state.x, y = place.row * l.height - state.y, w = Math.max(l.width, 5);
      context.strokeStyle = css(colors.quiet, 0.65);
      context.lineWidth = 1;
      context.strokeRect(l.left - 1, y - 0.5, l.W + 2, l.height);
      context.lineWidth = 4;
      context.strokeStyle = css(colors.paper);
      context.strokeRect(x - (w - l.width) / 2, y, w, l.height - 1);
      context.lineWidth = 2;
      context.strokeStyle = css(colors.text);
      context.strokeRect(x - (w - l.width) / 2, y, w, l.height - 1);
    }
    context.restore();
    context.textAlign = "right";
    const size = Math.min(13, Math.max(8, l.height - 1)), most = Math.floor((l.left - 8) / (size * 0.56));
    for (let r = r0; r <= r1; r++) {
      if (l.height < 9 && r % 2 && r !== place.row) continue;
      context.font = `${r === place.row ? "600 " : ""}${size}px ${family}`;
      context.fillStyle = css(r === place.row ? colors.text : colors.quiet);
      const name = names[r].length > most ? `${names[r].slice(0, most - 1)}…` : names[r];
      context.fillText(name, l.left - 8, r * l.height - state.y + l.height / 2 + size * 0.35);
    }
    $(".out").disabled = l.width <= l.W / shownColumns + 0.01;
    $(".in").disabled = state.zoom === WIDTHS.length - 1;
    say(place.row, place.column, "");
    Object.assign(canvas.dataset, { row: place.row, column: place.column, width: l.width.toFixed(1), x: Math.round(state.x) });
  }
  const under = (event) => {
    const l = layout(), box = canvas.getBoundingClientRect(), x = event.clientX - box.left - l.left, y = event.clientY - box.top;
    if (x < 0 || y < 0 || x >= l.W) return null;
    const column = Math.floor((x + state.x) / l.width), row = Math.floor((y + state.y) / l.height);
    return row < T && column < shownColumns ? { row, column: tensor.first + column } : null;
  };
  const set = (cell, center) => { Object.assign(place, cell); draw(center); state.ask({ ...place, first: tensor.first }); };
  const zoom = (by) => {
    const l = layout(); // widths that are no wider than what fits make no difference
    let next = state.zoom + by;
    while (by > 0 && next < WIDTHS.length - 1 && WIDTHS[next] <= l.W / shownColumns) next += 1;
    while (by < 0 && next > 0 && WIDTHS[next] <= l.W / shownColumns) next -= 1;
    state.zoom = Math.min(WIDTHS.length - 1, Math.max(0, next));
    const after = layout();
    state.x = (place.column - tensor.first + 0.5) * after.width - after.W / 2;
    state.y = (place.row + 0.5) * after.height - after.H / 2;
    draw();
  };
  $(".in").onclick = () => zoom(1);
  $(".out").onclick = () => zoom(-1);
  canvas.onpointerdown = (event) => { state.drag = { x: event.clientX, y: event.clientY, sx: state.x, sy: state.y, moved: false }; canvas.setPointerCapture(event.pointerId); };
  canvas.onpointermove = (event) => {
    const d = state.drag;
    if (d) {
      if (Math.hypot(event.clientX - d.x, event.clientY - d.y) > 4) d.moved = true;
      if (d.moved) { state.x = d.sx - event.clientX + d.x; state.y = d.sy - event.clientY + d.y; draw(); }
      return;
    }
    const cell = under(event);
    if (cell && event.pointerType === "mouse" && !(cell.row === place.row && cell.column === place.column)) set(cell);
  };
  canvas.onpointerup = (event) => {
    const d = state.drag, cell = under(event);
    state.drag = null;
    if (d && !d.moved && cell) set(cell, true);
  };
  canvas.onpointercancel = () => { state.drag = null; };
  canvas.onwheel = (event) => { if (event.ctrlKey || event.metaKey) { event.preventDefault(); zoom(event.deltaY < 0 ? 1 : -1); } };
  canvas.ondblclick = () => zoom(1);
  canvas.onkeydown = (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], PageUp: [-T, 0], PageDown: [T, 0],
      Home: [0, -tensor.columns], End: [0, tensor.columns] }[event.key];
    if (event.key === "+" || event.key === "=" || event.key === "Enter") zoom(1);
    else if (event.key === "-" || event.key === "Escape") zoom(-1);
    else if (!step) return;
    event.preventDefault();
    if (!step) return;
    const row = Math.min(T - 1, Math.max(0, place.row + step[0]));
    const column = Math.min(tensor.first + shownColumns - 1, Math.max(tensor.first, place.column + step[1]));
    set({ row, column }, true);
  };
  state.sizes?.disconnect();
  state.sizes = new ResizeObserver(() => { if (canvas.clientWidth !== state.wide) { state.wide = canvas.clientWidth; draw(true); } });
  state.sizes.observe(canvas);
  fit();
  draw(true);
  root.dataset.text = data.text;
  root.dataset.tensor = tensor.name;
  return () => { state.ask.cancel(); state.type.cancel(); state.settle.cancel(); state.sizes.disconnect(); mounted.delete(parentElement); };
}
