// Runs model.tflite in the browser with LiteRT.js; contract.json has what the model takes and gives.
//
//   const classifier = await load();
//   const [best] = await predict(classifier, await createImageBitmap(file));   // {label, probability}

import { loadAndCompile, loadLiteRt, Tensor } from '@litertjs/core';

const here = (name) => new URL(name, import.meta.url).href;

/** Loads the runtime, the model and its contract, once. */
export async function load() {
  const [contract] = await Promise.all([
    fetch(here('contract.json')).then((answer) => answer.json()),
    loadLiteRt(here('node_modules/@litertjs/core/wasm/')),
  ]);
  const model = await loadAndCompile(here('model.tflite'), { accelerator: 'wasm' });
  return { model, contract };
}

/** The classes of an ImageBitmap, an <img>, a <canvas> or a <video>, the likeliest first. */
export async function predict({ model, contract }, image) {
  const { height, width, channels } = contract.input;
  const input = new Tensor(pixels(image, contract.input), [1, height, width, channels]);
  const [output] = await model.run(input);
  const scores = Array.from(await output.data());
  input.delete();
  output.delete();
  const shares = contract.output.form === 'logits' ? softmax(scores) : scores;
  return contract.output.names
    .map((label, index) => ({ label, probability: shares[index] }))
    .sort((a, b) => b.probability - a.probability);
}

/** Pixels of 0-255, row by row, in the model's size. */
function pixels(image, { height, width, channels, resize }) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingQuality = resize.endsWith('without antialiasing') ? 'low' : 'high';
  const fullWidth = image.videoWidth || image.naturalWidth || image.width;
  const fullHeight = image.videoHeight || image.naturalHeight || image.height;
  const [across, down] = [width / fullWidth, height / fullHeight];
  const stretched = resize.startsWith('stretch') || resize.startsWith('keras,');
  const scale = resize.startsWith('keras-pad') ? Math.min(across, down) : Math.max(across, down);
  const [w, h] = stretched ? [width, height] : [fullWidth * scale, fullHeight * scale];
  context.drawImage(image, (width - w) / 2, (height - h) / 2, w, h);
  const { data } = context.getImageData(0, 0, width, height);
  const values = new Float32Array(height * width * channels);
  for (let pixel = 0; pixel < height * width; pixel += 1) {
    const [red, green, blue] = data.subarray(4 * pixel, 4 * pixel + 3);
    if (channels === 1) {
      values[pixel] = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16; // ITU-R 601, as Pillow rounds it
    } else {
      values.set([red, green, blue], 3 * pixel);
    }
  }
  return values;
}

function softmax(scores) {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
