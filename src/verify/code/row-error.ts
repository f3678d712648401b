/** The ground truth of a row is at fault, not an answer. */
export class RowError extends Error {
  override readonly name = 'RowError'
}
