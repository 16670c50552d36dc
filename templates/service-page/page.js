// The page: a file, a request, and what the service answers. Nothing is kept when the page is closed.

import { bytesOf, gzippedNpy, unzipped } from "./arrays.js";
import { ProblemError, read, send } from "./asking.js";
import { colourOf, draw, planeOf } from "./drawing.js";

const at = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toPrecision(share >= 0.1 ? 3 : 2).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "")} %`;
const seconds = (value) => (value < 0.1 ? `${(1000 * value).toFixed(1)} ms` : `${value.toFixed(2)} s`);

let model = null;
let file = null;
let urls = [];
let threshold = 0.5;

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function showProblem(problem) {
  at("problem-title").textContent = problem.title || "The request was not answered";
  const reasons = problem.reasons?.length ? problem.reasons : [problem.detail];
  at("problem-reasons").replaceChildren(...reasons.map((one) => element("li", one)));
  at("problem-hint").textContent = problem.hint ? `What to do: ${problem.hint}` : "";
  at("problem").hidden = false;
  if (problem.status === 401 || problem.status === 403) at("key-field").hidden = false;
}

function clear() {
  for (const id of ["problem", "answer", "record", "timings"]) at(id).hidden = true;
  for (const url of urls) URL.revokeObjectURL(url);
  urls = [];
}

async function loadModel() {
  try {
    model = await read("/v1/model", at("key").value);
  } catch (error) {
    if (error instanceof ProblemError) {
      if (error.problem.status === 401) at("key-field").hidden = false;
      else showProblem(error.problem);
      return;
    }
    throw error;
  }
  document.title = `${model.device} – try the service`;
  at("device").textContent = `${model.device} ${model.version}`;
  at("statement").textContent = model.intended_use;
  const kind = model.axes.length === 3 ? "volumes" : "pictures";
  const channels = model.channels === 1 ? "1 channel" : `${model.channels} channels`;
  at("takes").textContent = `It takes ${kind} of ${channels}, axes (${[...model.axes].join(", ")}).`;
  at("probabilities-field").hidden = !model.outputs?.includes("probabilities");
  at("probabilities").checked = model.axes.length === 2;
  const { unit, spacing } = model.bounds;
  at("spacing-field").hidden = unit === "px";
  if (unit !== "px") {
    const scale = unit === "mm" || spacing[0][0] >= 100 ? 1000 : 1;
    const words = [...model.axes].map((axis, i) => `${axis} ${+(spacing[0][i] / scale).toPrecision(3)} to ${+(spacing[1][i] / scale).toPrecision(3)}`);
    const middle = spacing[0].map((low, i) => +((low + spacing[1][i]) / 2 / scale).toPrecision(3));
    const named = scale === 1000 ? "mm" : "µm";
    at("spacing-help").textContent = `For example ${middle.join(" x ")} ${named.replace("µ", "u")}. The model takes ${words.join(", ")} ${named}.`;
    at("spacing").placeholder = `${middle.join(" x ")} ${named.replace("µ", "u")}`;
  }
}

function choose(chosen) {
  file = chosen ?? null;
  at("send").disabled = file === null;
  at("status").textContent = file === null ? "" : `${file.name}, ${(file.size / 1e6).toFixed(file.size < 1e5 ? 3 : 1)} MB. Press “Segment”.`;
  clear();
}

function working(text, share) {
  at("progress").hidden = text === null;
  at("status").textContent = text ?? "";
  if (share === undefined) at("bar").removeAttribute("value");
  else at("bar").value = share;
}

async function submit(event) {
  event.preventDefault();
  if (file === null) return;
  clear();
  at("send").disabled = true;
  const parts = { volume: file, spacing: at("spacing-field").hidden ? "" : at("spacing").value.trim() };
  const key = at("key").value;
  let answer = null;
  try {
    if (model === null) await loadModel();
    const outputs = at("probabilities").checked && !at("probabilities-field").hidden ? "probabilities" : "";
    answer = await send("/v1/segment", { ...parts, outputs }, key, (share) =>
      share < 1 ? working(`Sending: ${Math.round(100 * share)} %`, share) : working("The service is segmenting the image"), true,
    );
    working("Preparing the pictures");
    const image = await shownImage(parts, key);
    await show(answer, image);
    working(null);
    at("status").textContent = "Answered.";
    at("answer-heading").focus();
  } catch (error) {
    working(null);
    const problem = error instanceof ProblemError ? error.problem : unshown(error);
    at("status").textContent = answer ? "Answered, and not shown." : "Not answered.";
    showProblem(problem);
    if (answer ?? problem.receipt) showRecord(answer ?? problem);
  } finally {
    at("send").disabled = false;
  }
}

function unshown(error) {
  return { title: "This page cannot show the answer", detail: error.message, hint: "ask from a program, or inform the operator", reasons: [] };
}

// The image as the service read it, in 8 bits; or the problem, where it cannot be shown.
async function shownImage(parts, key) {
  try {
    const found = await send("/v1/preview", parts, key, () => {});
    return { ...found, pixels: await unzipped(bytesOf(found.pixels)) };
  } catch (error) {
    if (error instanceof ProblemError) return { problem: error.problem };
    throw error;
  }
}

// What can be shown over the image, by name: a function of a voxel's place.
async function layersOf(answer) {
  const numbers = new Map(answer.classes.map((one, i) => [one.value, i + 1]));
  const mask = (await gzippedNpy(answer.mask)).voxels;
  const layers = new Map([["Mask", (place) => numbers.get(mask[place]) ?? 0]]);
  for (const [i, one] of answer.classes.entries()) {
    if (one.conformal_mask === null) continue;
    const wide = (await gzippedNpy(one.conformal_mask)).voxels;
    layers.set(answer.classes.length > 1 ? `Conformal mask: ${one.name}` : "Conformal mask", (place) => (wide[place] ? i + 1 : 0));
  }
  const probabilities = await probabilitiesOf(answer);
  if (probabilities) layers.set("Probability", probabilities);
  layers.set("Image alone", () => 0);
  return layers;
}

// The number of the most probable class of a voxel where its probability reaches the threshold of the page.
async function probabilitiesOf(answer) {
  const output = answer.outputs?.find((one) => one.name === "probabilities");
  if (!output) return null;
  const { voxels } = await gzippedNpy(output.data);
  const size = answer.shape.reduce((product, one) => product * one, 1);
  return (place) => {
    let number = 0;
    let highest = threshold;
    for (let one = 0; one < answer.classes.length; one += 1) {
      const value = voxels[one * size + place];
      if (value >= highest) [number, highest] = [one + 1, value];
    }
    return number;
  };
}

async function show(answer, image) {
  at("decision").textContent = answer.decision === "answered" ? "✓ Answered" : answer.decision;
  at("classes").replaceChildren(...answer.classes.map(classRow));
  const layers = await layersOf(answer);
  const same = image.shape?.join() === answer.shape.join();
  at("answer").hidden = false;
  for (const one of document.querySelectorAll(".view, #planes")) one.hidden = !same;
  at("orientation").textContent = same
    ? answer.shape.length === 3 ? "Click in a plane to move the others. Axes and their directions are those of the file; left and right of the body are not marked." : ""
    : `There is no picture: ${image.problem?.detail ?? "image and mask differ in size"}. The mask can be downloaded.`;
  if (same) showPlanes(answer, image, layers);
  showRecord(answer);
}

function classRow(one, i) {
  const row = element("tr");
  const name = element("th", "", { scope: "row" });
  const swatch = element("span", "", { class: "swatch", "aria-hidden": "true" });
  swatch.style.backgroundColor = colourOf(i);
  name.append(swatch, `${one.value} ${one.name}`);
  const wide = one.conformal_threshold === null ? "none: no guarantee" : `probability ≥ ${+one.conformal_threshold.toPrecision(3)}`;
  row.append(name, element("td", percent(one.foreground_fraction)), element("td", sizeOf(one.size)), element("td", wide));
  return row;
}

function sizeOf(size) {
  if (!size) return "not stated";
  const parts = size.components === 1 ? "1 part" : `${size.components.toLocaleString("en")} parts`;
  return `${size.size.toLocaleString("en", { maximumSignificantDigits: 4 })} ${size.size_unit}, ${parts}`;
}

function showPlanes(answer, image, layers) {
  const { shape, axes } = answer;
  const volume = shape.length === 3;
  const state = { layer: "Mask", places: shape.map((size) => Math.floor(size / 2)) };
  if (volume) state.places[0] = fullestSlice(shape, layers.get("Mask"));
  at("planes").classList.toggle("volume", volume);
  const drawers = (volume ? [0, 1, 2] : [0]).map((axis) => planeView(axis));
  const redraw = () => drawers.forEach((one) => one.draw());
  at("planes").classList.toggle("single", !volume);
  at("planes").replaceChildren(...drawers.map((one) => one.figure));
  at("layers").replaceChildren(
    ...[...layers.keys()].map((name) => {
      const label = element("label");
      const radio = element("input", "", { type: "radio", name: "layer", value: name });
      radio.checked = name === state.layer;
      radio.addEventListener("change", () => {
        state.layer = name;
        at("threshold-field").hidden = at("threshold-help").hidden = name !== "Probability";
        redraw();
      });
      label.append(radio, name);
      return label;
    }),
  );
  at("threshold-field").hidden = at("threshold-help").hidden = true;
  const setThreshold = (value) => {
    threshold = value;
    at("threshold-value").textContent = value.toFixed(2);
  };
  at("threshold").value = answer.threshold ?? 0.5;
  setThreshold(answer.threshold ?? 0.5);
  at("threshold").oninput = () => {
    setThreshold(Number(at("threshold").value));
    redraw();
  };
  at("opacity").oninput = () => {
    at("opacity-value").textContent = `${Math.round(100 * at("opacity").value)} %`;
    redraw();
  };
  redraw();

  function planeView(axis) {
    const figure = element("figure");
    const frame = element("div", "", { class: "frame" });
    const canvas = element("canvas", "", { role: "img" });
    const others = volume ? [0, 1, 2].filter((one) => one !== axis) : [0, 1];
    const title = volume ? `Plane ${axes[others[0]]}–${axes[others[1]]}` : "Picture";
    frame.append(canvas);
    figure.append(element("figcaption", title), frame);
    const step = (one) => image.spacing_um?.[one] ?? 1;
    const [tall, broad] = others.map((one) => shape[one] * step(one));
    canvas.style.aspectRatio = `${broad} / ${tall}`;
    canvas.style.maxWidth = `${(34 * broad) / tall}rem`;
    let slider = null;
    let value = null;
    if (volume) {
      const id = `slice-${axes[axis]}`;
      slider = element("input", "", { type: "range", id, min: 0, max: shape[axis] - 1, step: 1 });
      value = element("output", "", { for: id });
      slider.addEventListener("input", () => { state.places[axis] = Number(slider.value); redraw(); });
      figure.append(element("label", `Slice along ${axes[axis]}`, { for: id }), slider, value);
      canvas.addEventListener("click", (event) => {
        const box = canvas.getBoundingClientRect();
        const share = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
        others.forEach((one, i) => { state.places[one] = Math.min(shape[one] - 1, Math.max(0, Math.floor(share[i] * shape[one]))); });
        redraw();
      });
    }
    return {
      figure,
      draw() {
        const plane = planeOf(shape, axis, state.places[axis]);
        const covered = draw(canvas, image, plane, layers.get(state.layer), Number(at("opacity").value));
        const words = [...covered].map(([number, share]) => `${answer.classes[number - 1].name} ${percent(share)}`);
        const where = volume ? `${title}, slice ${state.places[axis] + 1} of ${shape[axis]} along ${axes[axis]}` : title;
        canvas.setAttribute("aria-label", `${where}. ${state.layer}: ${words.join(", ") || "no class here"}.`);
        if (slider) {
          slider.value = state.places[axis];
          value.textContent = `${state.places[axis] + 1} / ${shape[axis]}`;
          slider.setAttribute("aria-valuetext", `slice ${state.places[axis] + 1} of ${shape[axis]}`);
        }
      },
    };
  }
}

// The slice with most voxels of the first class.
function fullestSlice(shape, layer) {
  const size = shape[1] * shape[2];
  let best = Math.floor(shape[0] / 2);
  let most = 0;
  for (let slice = 0; slice < shape[0]; slice += 1) {
    let count = 0;
    for (let place = slice * size; place < (slice + 1) * size; place += 1) if (layer(place) === 1) count += 1;
    if (count > most) [best, most] = [slice, count];
  }
  return best;
}

function download(name, text, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  urls.push(url);
  return element("a", text, { href: url, download: name });
}

function showRecord(answer) {
  const receipt = answer.receipt;
  const links = [];
  if (receipt) links.push(download(`receipt-${receipt.index}.json`, "Download the receipt", JSON.stringify(receipt), "application/json"));
  if (answer.mask) links.push(download(`mask-${receipt.index}.npy.gz`, "Download the mask (NumPy)", bytesOf(answer.mask), "application/gzip"));
  at("downloads").replaceChildren(...links);
  const facts = {
    "Entry": receipt && `${receipt.index} of ${receipt.checkpoint.split("\n")[0]}`,
    "Request": answer.request,
    "Decision": answer.decision,
    "Model": answer.model,
    "Digest of the mask": answer.mask_digest,
  };
  const rows = Object.entries(facts).filter(([, value]) => value);
  at("facts").replaceChildren(...rows.flatMap(([name, value]) => [element("dt", name), element("dd", String(value))]));
  const times = Object.entries(answer.timings ?? {}).filter(([, value]) => typeof value === "number");
  at("timings").hidden = times.length === 0;
  at("times").replaceChildren(
    ...times.flatMap(([name, value]) => [element("dt", name.replaceAll("_", " ")), element("dd", seconds(value))]),
  );
  at("record").hidden = false;
}

at("form").addEventListener("submit", submit);
at("file").addEventListener("change", () => choose(at("file").files[0]));
at("key").addEventListener("change", loadModel);
for (const name of ["dragenter", "dragover"]) {
  at("drop").addEventListener(name, (event) => { event.preventDefault(); at("drop").classList.add("over"); });
}
for (const name of ["dragleave", "drop"]) at("drop").addEventListener(name, () => at("drop").classList.remove("over"));
at("drop").addEventListener("drop", (event) => {
  event.preventDefault();
  if (!event.dataTransfer.files.length) return;
  at("file").files = event.dataTransfer.files;
  choose(event.dataTransfer.files[0]);
});
loadModel();
