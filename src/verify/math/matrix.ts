import { type Expression, negated, times } from './expression.ts'
import { Unreadable } from './limits.ts'

/** The entries of a matrix, or of a sum, a scalar multiple or a quotient of matrices; null for anything else. */
export function matrixValue(node: Expression): Expression[][] | null {
  switch (node.kind) {
    case 'matrix':
      return node.rows
    case 'sum': {
      const terms = node.terms.map(matrixValue)
      const [first] = terms
      if (!first || terms.some((term) => !term || !sameShape(term, first))) return null
      return first.map((row, i) => row.map((_, j) => ({ kind: 'sum', terms: terms.map((term) => term![i]![j]!) })))
    }
    case 'product': {
      const at = node.factors.findIndex((factor) => matrixValue(factor))
      const matrix = at < 0 ? null : matrixValue(node.factors[at]!)
      const scalars = node.factors.filter((_, i) => i !== at)
      if (!matrix || scalars.some((factor) => matrixValue(factor))) return null
      return matrix.map((row) => row.map((entry) => ({ kind: 'product', factors: [...scalars, entry] })))
    }
    case 'quotient': {
      const matrix = matrixValue(node.numerator)
      return (
        matrix?.map((row) =>
          row.map((entry) => ({ kind: 'quotient', numerator: entry, denominator: node.denominator })),
        ) ?? null
      )
    }
    default:
      return null
  }
}

function sameShape(a: Expression[][], b: Expression[][]): boolean {
  return a.length === b.length && a[0]!.length === b[0]!.length
}

/** Larger ones would be sums of too many products. */
const MAX_DETERMINANT = 4

/** The determinant along the first row. @throws Unreadable where it has none, or is larger than 4 by 4 */
export function determinant(rows: Expression[][]): Expression {
  const [first, ...rest] = rows
  if (!first || rows.length !== first.length) throw new Unreadable('a determinant that is not square')
  if (rows.length > MAX_DETERMINANT) throw new Unreadable('a determinant of that size')
  if (rest.length === 0) return first[0]!
  const terms = first.map((entry, column) => {
    const minor = determinant(rest.map((row) => row.filter((_, at) => at !== column)))
    return column % 2 === 0 ? times(entry, minor) : negated(times(entry, minor))
  })
  return { kind: 'sum', terms }
}
