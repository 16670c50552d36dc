// Arrays as the service sends them: base64, gzip and NumPy's .npy, read with checks and without evaluating anything.

export function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export async function unzipped(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const TYPES = { "|u1": Uint8Array, "<f4": Float32Array, "<f2": Uint16Array };

// Voxels of a .npy file in C order; half-precision numbers become 32-bit ones.
export function npyOf(bytes) {
  if (bytes.length < 10 || bytes[0] !== 0x93 || bytes[6] !== 1) throw new Error("the mask is no array");
  const start = 10 + bytes[8] + 256 * bytes[9];
  const header = new TextDecoder("latin1").decode(bytes.subarray(10, start));
  const type = /'descr': '([^']+)'/.exec(header)?.[1];
  const shape = (/'shape': \(([0-9, ]*)\)/.exec(header)?.[1] ?? "").split(",").filter((one) => one.trim()).map(Number);
  if (!(type in TYPES) || !header.includes("'fortran_order': False")) throw new Error("the mask is of an unknown kind");
  const voxels = new TYPES[type](bytes.slice(start).buffer);
  if (voxels.length !== shape.reduce((product, size) => product * size, 1)) throw new Error("the mask was cut short");
  return { shape, voxels: type === "<f2" ? Float32Array.from(voxels, half) : voxels };
}

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

export async function gzippedNpy(base64) {
  return npyOf(await unzipped(bytesOf(base64)));
}
