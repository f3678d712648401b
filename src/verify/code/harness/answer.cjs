// The JavaScript side of answer.py: the same questions over the same pipe, with what JSON and plain objects can say.
const fs = require('node:fs')

const [source, wanted, input, output] = process.argv.slice(1)
const given = Number(input)
const taken = Number(output)
const { writeSync, readSync, readFileSync, openSync } = fs

// No /proc in the sandbox, so /dev/stdin is none.
const STDIN = new Set(['/dev/stdin', 'dev/stdin'])
fs.readFileSync = (path, ...rest) => readFileSync(STDIN.has(path) ? 0 : path, ...rest)
fs.openSync = (path, ...rest) => (STDIN.has(path) ? 0 : openSync(path, ...rest))

function readExactly(size) {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at < size; ) {
    const count = readSync(given, bytes, at, size - at)
    if (count === 0) process.exit(1)
    at += count
  }
  return bytes
}

function receive() {
  let digits = ''
  while (!digits.endsWith('\n')) digits += readExactly(1).toString()
  return JSON.parse(readExactly(Number(digits)).toString())
}

function send(message) {
  const payload = Buffer.from(JSON.stringify(message))
  const frame = Buffer.concat([Buffer.from(`${payload.length}\n`), payload])
  for (let at = 0; at < frame.length; ) at += writeSync(taken, frame, at)
}

const held = []

function pack(root) {
  const table = []
  const numbers = new Map()
  const pending = []
  const item = (value) => {
    if (value === null || value === undefined) return null
    if (typeof value === 'boolean' || typeof value === 'string') return value
    if (typeof value === 'bigint') return ['i', value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`]
    if (typeof value === 'number') {
      if (Number.isSafeInteger(value)) return value
      return ['f', Number.isNaN(value) ? 'nan' : Number.isFinite(value) ? String(value) : value > 0 ? 'inf' : '-inf']
    }
    if (!numbers.has(value)) {
      numbers.set(value, table.length)
      table.push(value)
      pending.push(table.length - 1)
    }
    return ['r', numbers.get(value)]
  }
  const entry = (value) => {
    if (Array.isArray(value) || ArrayBuffer.isView(value)) return ['l', Array.from(value, item)]
    if (value instanceof Set) return ['s', Array.from(value, item)]
    if (value instanceof Map) return ['d', Array.from(value, ([key, own]) => [item(key), item(own)])]
    if (typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value)))
      return ['d', Object.entries(value).map(([key, own]) => [key, item(own)])]
    held.push(value)
    return ['h', held.length - 1]
  }
  const top = item(root)
  while (pending.length > 0) {
    const number = pending.pop()
    table[number] = entry(table[number])
  }
  return [top, table]
}

function unpack([top, table], names) {
  const made = table.map(([tag, content, own]) => {
    if (tag === 'l' || tag === 't') return []
    if (tag === 's' || tag === 'z') return new Set()
    if (tag === 'd') return {}
    if (tag === 'h') return held[content]
    if (tag === 'n') return names[content]
    throw new TypeError(`no ${tag}${own === undefined ? '' : ` ${own}`} in JavaScript`)
  })
  const value = (entry) => {
    if (!Array.isArray(entry)) return entry
    const [tag, content] = entry
    if (tag === 'r') return made[content]
    if (tag === 'f') return { nan: Number.NaN, inf: Infinity, '-inf': -Infinity }[content] ?? Number(content)
    return content.startsWith('-') ? -BigInt(content.slice(1)) : BigInt(content)
  }
  for (const [number, [tag, content]] of table.entries()) {
    if (tag === 'l' || tag === 't') made[number].push(...content.map(value))
    else if (tag === 's' || tag === 'z') for (const entry of content) made[number].add(value(entry))
    else if (tag === 'd') for (const [key, entry] of content) made[number][value(key)] = value(entry)
  }
  return value(top)
}

const operations = {
  call: (target, ...args) => (isClass(target) ? new target(...args) : target(...args)),
  get: (target, name) => {
    const value = target[name]
    if (value === undefined) throw new AttributeError(name)
    return typeof value === 'function' ? value.bind(target) : value
  },
  set: (target, name, value) => {
    target[name] = value
  },
  len: (target) => target.length ?? target.size,
  str: String,
  repr: String,
  getitem: (target, key) => target[key],
}

class AttributeError extends Error {
  name = 'AttributeError'
}

function isClass(value) {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}

function plainError(error) {
  const name = String(error?.name ?? 'Error')
  const builtin =
    { RangeError: 'ValueError', TypeError: 'TypeError', AttributeError: 'AttributeError' }[name] ?? 'Exception'
  return [name, builtin, String(error?.message ?? error).slice(0, 500)]
}

function load(names) {
  const known = names.filter((name) => /^[A-Za-z_$][\w$]*$/.test(name))
  const found = known.map((name) => `${name}: typeof ${name} === 'undefined' ? module.exports.${name} : ${name}`)
  const module = { exports: {} }
  const body = new Function('require', 'module', 'exports', `${source}\n;return {${found.join(', ')}}`)
  return body(require, module, module.exports)
}

async function serve(names) {
  let own
  try {
    own = load(names)
  } catch (error) {
    send({ raise: plainError(error) })
    return
  }
  const described = Object.entries(own).filter(([, value]) => value !== undefined)
  send({
    names: Object.fromEntries(
      described.map(([name, value]) => [name, typeof value === 'function' ? ['name'] : ['value', pack(value)]]),
    ),
  })
  for (;;) {
    const message = receive()
    if (message.op === 'end') process.exit(0)
    let reply
    try {
      const [args] = unpack(message.args, own)
      const result = await operations[message.op](...args)
      reply = { return: pack(result) }
      if (message.op === 'call' && result === undefined) reply.args = pack([args.slice(1), {}])
    } catch (error) {
      reply = { raise: plainError(error) }
    }
    send(reply)
  }
}

if (wanted === undefined) {
  const run = new Function('require', 'module', 'exports', '__filename', '__dirname', source)
  const module = { exports: {} }
  require.main = module
  run(require, module, module.exports, '/answer.js', '/')
} else serve(JSON.parse(wanted))
