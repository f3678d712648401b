import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { parse } from 'yaml'
import { configSchemaText } from '../../scripts/config-schema.ts'

const root = new URL('../../', import.meta.url)
const text = readFileSync(new URL('schema/train.schema.json', root), 'utf8')

test('schema/train.schema.json is what the config schema says', (t) => {
  t.is(text, configSchemaText(), 'run: node --import=tsx scripts/config-schema.ts')
})

test('it has the defaults and the sentences, for stages as well', (t) => {
  const { properties } = JSON.parse(text)
  t.is(properties.groupSize.default, 16)
  t.regex(properties.groupSize.description, /^M: responses/)
  t.is(properties.entropy.properties.target.default, 0.2)
  const stage = properties.stages.items
  t.regex(stage.properties.groupSize.description, /^M: responses/)
  t.is(stage.properties.groupSize.default, undefined)
  t.is(stage.properties.until.properties.window.default, 20)
  t.false(stage.additionalProperties)
})

test('what only the command line or a preset gives is not missing for an editor', (t) => {
  t.is(JSON.parse(text).required, undefined)
})

test('the examples name it, and have only keys that it has', (t) => {
  for (const name of readdirSync(new URL('examples/', root)).filter((each) => each.endsWith('.yaml'))) {
    const example = readFileSync(new URL(`examples/${name}`, root), 'utf8')
    t.is(example.split('\n')[0], '# yaml-language-server: $schema=../schema/train.schema.json', name)
    for (const key of Object.keys(parse(example))) t.true(key in JSON.parse(text).properties, `${name}: ${key}`)
  }
})

test('the package ships it', (t) => {
  t.true(JSON.parse(readFileSync(new URL('package.json', root), 'utf8')).files.includes('schema'))
})
