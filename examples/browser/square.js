// A photo as the model wants it: upright, on white, its middle square, scaled as Pillow's BILINEAR does it, bit for bit.
// A canvas scales too, but each browser in its own way, and the probabilities would follow.

const BITS = 22;

export async function squareOf(photo, presize) {
  const image = await createImageBitmap(photo, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  const { width, height } = image;
  const side = Math.max(1, Math.trunc(Math.min(width / presize, height / presize) * presize));
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, side, side);
  context.drawImage(image, -Math.trunc((width - side) / 2), -Math.trunc((height - side) / 2));
  image.close();
  return resized(withoutAlpha(context.getImageData(0, 0, side, side).data), side, presize);
}

function withoutAlpha(data) {
  const out = new Uint8Array((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    out[to++] = data[from];
    out[to++] = data[from + 1];
    out[to++] = data[from + 2];
  }
  return out;
}

// A square of RGB bytes to another size: along the rows first, then along the columns, whole levels in between.
export function resized(pixels, side, size) {
  if (side === size) return pixels;
  const taps = tapsOf(side, size);
  const across = pass(pixels, taps, { lines: side, lineStep: 3 * side, step: 3, outLineStep: 3 * size, outStep: 3, size });
  return pass(across, taps, { lines: size, lineStep: 3, step: 3 * size, outLineStep: 3, outStep: 3 * size, size });
}

// For each place of the result the first pixel it is made of, and their weights, which sum to 2^22.
function tapsOf(side, size) {
  const scale = side / size;
  const reach = Math.max(scale, 1);
  return Array.from({ length: size }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(side, Math.trunc(centre + reach + 0.5));
    const weights = [];
    for (let at = first; at < end; at++) weights.push(Math.max(0, 1 - Math.abs((at - centre + 0.5) / reach)));
    const sum = weights.reduce((one, other) => one + other, 0);
    return { first, weights: weights.map((weight) => Math.trunc(0.5 + (weight / sum) * 2 ** BITS)) };
  });
}

function pass(pixels, taps, { lines, lineStep, step, outLineStep, outStep, size }) {
  const out = new Uint8Array(3 * size * lines);
  for (let line = 0; line < lines; line++) {
    taps.forEach(({ first, weights }, place) => {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 2 ** (BITS - 1);
        let at = line * lineStep + first * step + channel;
        for (const weight of weights) {
          sum += pixels[at] * weight;
          at += step;
        }
        out[line * outLineStep + place * outStep + channel] = Math.min(255, sum >> BITS);
      }
    });
  }
  return out;
}
