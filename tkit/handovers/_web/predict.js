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

/** Pixels of 0-255, row by row, in the model's size: resampled by the rule that training used. */
function pixels(image, { height, width, channels, resize }) {
  const full = [
    image.videoHeight || image.naturalHeight || image.height,
    image.videoWidth || image.naturalWidth || image.width,
  ];
  const context = new OffscreenCanvas(full[1], full[0]).getContext('2d', { willReadFrequently: true });
  context.drawImage(image, 0, 0, full[1], full[0]);
  const { data } = context.getImageData(0, 0, full[1], full[0]);
  const smooth = !resize.endsWith('without antialiasing');
  const [rows, columns] = parts(full, [height, width], resize, smooth);
  const [down, across] = [taps(rows, full[0], smooth), taps(columns, full[1], smooth)];
  const values = new Float32Array(height * width * channels);
  const lines = new Map();
  const line = (y) => {
    if (!lines.has(y)) lines.set(y, resampled(data, y * full[1], across, channels, smooth));
    return lines.get(y);
  };
  down.forEach(({ from, weights }, row) => {
    const start = ((rows.offset + row) * width + columns.offset) * channels;
    for (let index = 0; index < columns.count * channels; index += 1) {
      const sum = weights.reduce((total, weight, tap) => total + weight * line(from + tap)[index], 0);
      values[start + index] = Math.round(sum);
    }
    for (const y of lines.keys()) if (y < from) lines.delete(y);
  });
  return values;
}

/** Of each axis the part of the image that is taken (`start`, `size`), and where it goes (`offset`, `count`). */
function parts(full, target, resize, smooth) {
  const ratios = full.map((size, axis) => size / target[axis]);
  const whole = (size) => Math.max(1, Math.floor(size + 1e-4));
  return full.map((size, axis) => {
    const count = target[axis];
    if (resize.startsWith('stretch') || resize.startsWith('keras,')) return { start: 0, size, offset: 0, count };
    if (resize.startsWith('keras-pad')) {
      const exact = size / Math.max(...ratios);
      return { start: 0, size, offset: Math.floor((count - exact) / 2 + 1e-4), count: whole(exact) };
    }
    const exact = Math.min(size, count * Math.min(...ratios));
    if (smooth) return { start: (size - exact) / 2, size: exact, offset: 0, count };
    return { start: Math.floor((size - whole(exact)) / 2), size: whole(exact), offset: 0, count };
  });
}

/** Of each pixel along an axis the first of the image's pixels that it is made of, and their weights. */
function taps({ start, size, count }, full, smooth) {
  const scale = size / count;
  const reach = smooth ? Math.max(scale, 1) : 1; // a triangle as wide as what a pixel covers, or two neighbours
  const [least, most] = smooth ? [0, full] : [start, start + size];
  return Array.from({ length: count }, (_, index) => {
    const centre = start + (index + 0.5) * scale;
    const from = Math.max(least, Math.floor(centre - reach + 0.5));
    const end = Math.min(most, Math.floor(centre + reach + 0.5));
    const shares = Array.from({ length: end - from }, (_, tap) =>
      Math.max(0, 1 - Math.abs(from + tap + 0.5 - centre) / reach),
    );
    const total = shares.reduce((sum, share) => sum + share, 0);
    return { from, weights: shares.map((share) => share / total) };
  });
}

/** One line of the image, whose pixels begin at `first`, in the model's width. */
function resampled(data, first, across, channels, smooth) {
  const line = new Float32Array(across.length * channels);
  across.forEach(({ from, weights }, column) => {
    for (let channel = 0; channel < channels; channel += 1) {
      let sum = 0;
      for (let tap = 0; tap < weights.length; tap += 1) {
        sum += weights[tap] * colour(data, 4 * (first + from + tap), channel, channels);
      }
      line[column * channels + channel] = smooth ? Math.round(sum) : sum;
    }
  });
  return line;
}

/** Red, green or blue, or the grey of ITU-R 601 as Pillow rounds it. */
function colour(data, index, channel, channels) {
  if (channels === 3) return data[index + channel];
  return (19595 * data[index] + 38470 * data[index + 1] + 7471 * data[index + 2] + 32768) >> 16;
}

function softmax(scores) {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
