import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { RunFolder } from '../../src/metrics/run-folder.ts'

test('going back to a step drops what is past it, a line cut off and files half-written, and makes no file', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'magic-run-folder-'))
  t.teardown(() => rm(path, { recursive: true }))
  await mkdir(join(path, 'rollouts'))
  const killed = '00000000-0000-4000-8000-000000000000.tmp'
  const files = {
    'metrics.jsonl': '{"step":1}\n{"step":2}\n{"step":3}\n{"st',
    'config.yaml': 'seed: 1\n',
    'notes.tmp': 'mine',
    [`.config.yaml.${killed}`]: 'seed',
    'rollouts/step-000002.jsonl': '{}\n',
    'rollouts/step-000003.jsonl': '{}\n',
    [`rollouts/.step-000003.jsonl.${killed}`]: '{',
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  const folder = new RunFolder(path)
  await folder.truncateAfter(2)
  t.is(await readFile(join(path, 'metrics.jsonl'), 'utf8'), '{"step":1}\n{"step":2}\n')
  t.deepEqual((await readdir(path)).sort(), ['config.yaml', 'metrics.jsonl', 'notes.tmp', 'rollouts'])
  t.deepEqual(await readdir(join(path, 'rollouts')), ['step-000002.jsonl'])
})
