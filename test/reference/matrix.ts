/** scale * left right of row-major matrices [rows, inner] and [inner, columns], summed in float64. */
export function matrixProduct(
  left: Float32Array,
  right: Float32Array,
  [rows, inner, columns]: [number, number, number],
  scale = 1,
): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns]
    let sum = 0
    for (let k = 0; k < inner; k++) sum += left[row * inner + k]! * right[k * columns + column]!
    return scale * sum
  })
}

/** [rows, columns] to [columns, rows]. */
export function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  return matrix.map((_, index) => matrix[(index % rows) * columns + Math.floor(index / rows)]!)
}
