import type { Expression } from './expression.ts'

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
