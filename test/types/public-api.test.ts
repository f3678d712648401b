import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import ts from 'typescript'

test('the public API takes right uses and refuses wrong ones at compile time', (t) => {
  t.timeout(120_000)
  const file = fileURLToPath(new URL('./public-api.ts', import.meta.url))
  const config = fileURLToPath(new URL('../../tsconfig.json', import.meta.url))
  const { config: json } = ts.readConfigFile(config, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...json, include: [], files: [file] }, ts.sys, dirname(config))
  const program = ts.createProgram([file], { ...options, noEmit: true })
  const source = program.getSourceFile(file)!
  const diagnostics = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
  const messages = diagnostics.map(({ messageText, start = 0 }) => {
    const { line } = source.getLineAndCharacterOfPosition(start)
    return `line ${line + 1}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
  t.deepEqual(messages, [])
})
