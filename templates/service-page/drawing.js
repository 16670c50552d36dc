// Slices of an image with what covers them. Image and masks are on the same voxels: each is read at the same index.

// Okabe and Ito (2008): colours that people with any colour vision tell apart.
export const COLOURS = ["#56b4e9", "#e69f00", "#009e73", "#f0e442", "#d55e00", "#cc79a7", "#0072b2"];

export function colourOf(number) {
  return COLOURS[number % COLOURS.length];
}

function channelsOf(hex) {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

// Where the voxels of a plane are: the first one, and the steps along rows and columns of the picture.
export function planeOf(shape, axis, index) {
  if (shape.length === 2) return { height: shape[0], width: shape[1], start: 0, down: shape[1], right: 1 };
  const steps = [shape[1] * shape[2], shape[2], 1];
  const [rows, columns] = [0, 1, 2].filter((one) => one !== axis);
  return { height: shape[rows], width: shape[columns], start: index * steps[axis], down: steps[rows], right: steps[columns] };
}

// Draw one plane. `layers` are functions of a voxel's place: the number of its class from 1, or 0.
export function draw(canvas, image, plane, layer, opacity) {
  const { height, width, start, down, right } = plane;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const picture = context.createImageData(width, height);
  const { pixels, channels } = image;
  const colours = new Map();
  const covered = new Map();
  for (let row = 0, out = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1, out += 4) {
      const place = start + row * down + column * right;
      for (let one = 0; one < 3; one += 1) {
        picture.data[out + one] = pixels[place * channels + (channels === 3 ? one : 0)];
      }
      picture.data[out + 3] = 255;
      const number = layer(place);
      if (!number) continue;
      covered.set(number, (covered.get(number) ?? 0) + 1);
      if (!colours.has(number)) colours.set(number, channelsOf(colourOf(number - 1)));
      const edge =
        row === 0 || column === 0 || row === height - 1 || column === width - 1 ||
        layer(place - down) !== number || layer(place + down) !== number ||
        layer(place - right) !== number || layer(place + right) !== number;
      const strength = edge ? Math.min(1, opacity * 2) : opacity * 0.7;
      const colour = colours.get(number);
      for (let one = 0; one < 3; one += 1) {
        picture.data[out + one] += strength * (colour[one] - picture.data[out + one]);
      }
    }
  }
  context.putImageData(picture, 0, 0);
  return new Map([...covered].map(([number, count]) => [number, count / (height * width)]));
}
