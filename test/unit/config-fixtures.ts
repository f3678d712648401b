import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

/** A folder with a model `base`, rows `rows.jsonl` and the config `run.yaml`; gone after the test. */
export async function workspace(t: ExecutionContext, text: string): Promise<{ folder: string; file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'magic-config-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'base'))
  await writeFile(join(folder, 'base', 'config.json'), '{}')
  await writeFile(join(folder, 'rows.jsonl'), '{}\n')
  const file = join(folder, 'run.yaml')
  await writeFile(file, text)
  return { folder, file }
}

/** The least that a run needs, by what `workspace` makes. */
export const minimal = 'model: base\noutput: out\ndata:\n  train: rows.jsonl\n'
