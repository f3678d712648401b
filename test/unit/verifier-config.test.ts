import { join } from 'node:path'
import test from 'ava'
import { loadTrainConfig } from '../../src/config/train-config.ts'
import { minimal, workspace } from './config-fixtures.ts'

test('a verifier by source, of sums, with paths from the folder of the file', async (t) => {
  const text = `${minimal}
verifier:
  bySource:
    gsm8k: { sum: [{ verifier: math }, { verifier: ./reward.ts#brief, weight: 0.1, whenCorrect: true }] }
    default: ./reward.ts
math: { extraction: any, precision: 2 }
format: { pattern: 'x.ts' }
length: { long: 100 }
`
  const { file, folder } = await workspace(t, text)
  const config = await loadTrainConfig({ file })
  t.deepEqual(config.verifier, {
    bySource: {
      gsm8k: {
        sum: [
          { verifier: 'math', weight: 1, whenCorrect: false },
          { verifier: `${join(folder, 'reward.ts')}#brief`, weight: 0.1, whenCorrect: true },
        ],
      },
      default: join(folder, 'reward.ts'),
    },
  })
  t.deepEqual(config.math, { extraction: 'any', precision: 2, renamedVariables: false })
  t.deepEqual(config.format, { boxed: true, thinking: false, pattern: 'x.ts' })
  t.deepEqual(config.length, { short: 0, long: 100 })
})

test('the presets for mathematics and code choose by ability; another verifier takes the whole place', async (t) => {
  const preset = await workspace(t, `preset: or1-7b-paper\n${minimal}`)
  const byAbility = { math: 'math', code: 'code', default: 'math' }
  t.deepEqual((await loadTrainConfig({ file: preset.file })).verifier, { byAbility })
  t.is((await loadTrainConfig({ file: preset.file, overrides: ['verifier=math'] })).verifier, 'math')
  const own = await workspace(t, `preset: or1-32b-release\n${minimal}\nverifier: { bySource: { a: code } }`)
  t.deepEqual((await loadTrainConfig({ file: own.file })).verifier, { bySource: { a: 'code' } })
})

test('a verifier of no known form is an error that says the forms', async (t) => {
  for (const [yaml, message] of [
    ['verifier: { bySource: {} }', /verifier/],
    ['verifier: { sum: [] }', /verifier/],
    ['verifier: 5', /'verifier'.*\{ sum: \[\{ verifier, weight \}\] \}/s],
    [
      'verifier: mth',
      /run.yaml:6: 'verifier': unknown verifier; did you mean 'math'\? There are 'math', 'code', .*; got "mth"/,
    ],
    [
      'verifier: { sum: [{ verifier: math }, { verifier: fromat }] }',
      /'verifier.sum.1.verifier'.*did you mean 'format'/,
    ],
    [
      'verifier: { sum: [{ verifier: math }], correct: maths }',
      /'verifier.correct': unknown verifier; did you mean 'math'/,
    ],
    ['verifier: { byAbility: { math: math, code: cod } }', /'verifier.byAbility.code'.*did you mean 'code'/],
    [
      'verifier: { bySource: { a: { sum: [{ verifier: ./reward.py }] } } }',
      /'verifier.bySource.a.sum.0.verifier': .*there are 'math'/,
    ],
    ['length: { short: 5, long: 5 }', /length\.long.*more than short/s],
  ] as const) {
    const { file } = await workspace(t, `${minimal}\n${yaml}`)
    await t.throwsAsync(loadTrainConfig({ file }), { message }, yaml)
  }
})
