import { children, type Expression, symbols, withChildren } from './expression.ts'
import { identical } from './identity.ts'

/** `f(x, y) = value`. */
interface Definition {
  name: string
  variables: string[]
  value: Expression
}

/** Whether two equations define the same function of as many variables, whatever these are called. */
export function equalFunctions(a: Expression, b: Expression): boolean {
  const [f, g] = [definition(a), definition(b)]
  if (!f || !g || f.name !== g.name || f.variables.length !== g.variables.length) return false
  const names = new Map(g.variables.map((name, i) => [name, f.variables[i]!]))
  // what else has that name in the other would become the variable
  if ([...symbols(g.value)].some((name) => f.variables.includes(name) && !names.has(name))) return false
  return identical(f.value, renamed(g.value, names))
}

function definition(node: Expression): Definition | null {
  if (node.kind !== 'relation' || node.operators.length !== 1 || node.operators[0] !== '=') return null
  const [head, value] = node.sides as [Expression, Expression]
  if (head.kind !== 'apply') return null
  const variables = head.args.flatMap((arg) => (arg.kind === 'symbol' ? [arg.name] : []))
  if (variables.length !== head.args.length || new Set(variables).size !== variables.length) return null
  return { name: head.name, variables, value }
}

function renamed(node: Expression, names: ReadonlyMap<string, string>): Expression {
  const parts = children(node).map((part) => renamed(part, names))
  const own = parts.length > 0 ? withChildren(node, parts) : node
  return (own.kind === 'symbol' || own.kind === 'apply') && names.has(own.name)
    ? { ...own, name: names.get(own.name)! }
    : own
}
