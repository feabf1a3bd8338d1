// Numbers in NumPy's format .npy.

const KINDS = { "<f4": Float32Array, "<f8": Float64Array, "<i4": Int32Array, "<u4": Uint32Array, "<i2": Int16Array, "<u2": Uint16Array, "|i1": Int8Array, "|u1": Uint8Array };

/** `{ values, shape }`: a typed array, float32 for maps, and the lengths of its axes. Throws a `RangeError` for what is none. */
export function readNpy(buffer) {
  const view = new DataView(buffer);
  const isNpy = buffer.byteLength > 12 && view.getUint32(0) === 0x934e554d && view.getUint16(4) === 0x5059;
  if (!isNpy) throw new RangeError("this is no file of the format .npy");
  const [start, length] = view.getUint8(6) === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const header = new TextDecoder("latin1").decode(new Uint8Array(buffer, start, length));
  const [, kind] = header.match(/'descr': '([^']*)'/) ?? [];
  if (!(kind in KINDS) || header.includes("'fortran_order': True")) throw new RangeError(`numbers of the kind ${kind} are not read`);
  const shape = header.match(/'shape': \(([^)]*)\)/)[1].split(",").filter((part) => part.trim()).map(Number);
  return { values: new KINDS[kind](buffer.slice(start + length)), shape };
}
