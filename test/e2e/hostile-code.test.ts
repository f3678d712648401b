import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { grader, sandboxWorks } from '../unit/code-answer.ts'
import { type Attack, escapes, exhaustions, forgeries } from './hostile-programs.ts'

const run = (await sandboxWorks()) ? test.serial : test.serial.skip
const SECONDS = 5
const grade = grader({ limits: { secondsPerTest: SECONDS, memory: 512 * 2 ** 20 } })

const honest = [
  () => grade('print(sum(map(int, input().split())))', { inputs: ['3 4'], outputs: ['7'] }),
  () => grade('def f(x): return x + 34', { inputs: [[7]], outputs: [41], fn_name: 'f' }),
]

for (const [kind, attacks] of Object.entries({ escapes, exhaustions, forgeries }) as [
  string,
  Record<string, Attack>,
][]) {
  run(`${kind}: none earns a reward, honest answers beside them keep theirs`, async (t) => {
    t.timeout(300_000)
    const names = Object.keys(attacks)
    const results = await Promise.all(
      names.flatMap((name, i) => {
        const { code, truth } = attacks[name]!
        const attack = grade(code, truth)
        return i % 4 === 0 ? [attack, honest[(i / 4) % 2]!()] : [attack]
      }),
    )
    const earned: string[] = []
    let at = 0
    for (const [i, name] of names.entries()) {
      const verdict = results[at++]!
      if (process.env.VERBOSE) t.log(`${name}: ${verdict.reason}`)
      if (verdict.reward !== 0) earned.push(name)
      if (i % 4 === 0) t.is(results[at]!.reward, 1, `the honest answer after '${name}': ${results[at++]!.reason}`)
    }
    t.deepEqual(earned, [])
  })
}

run('compiling an answer has its own limit', async (t) => {
  const { code, truth } = exhaustions['never ends compiling']!
  t.is((await grade(code, truth)).reason, 'reading the answer: more than 6 s')
})

run('nothing outlives its run', async (t) => {
  const mark = `mg${process.pid}`
  const name = `import ctypes, os, threading, time\nctypes.CDLL(None).prctl(15, b'${mark}', 0, 0, 0)\n`
  const leave = `${name}threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()
for start in (os.fork, os.forkpty, lambda: os.posix_spawn('/bin/sleep', ['sleep', '1000'], {})):
    try: start()
    except OSError: pass
os.setsid()
`
  await grade(`${leave}print(41)`, { inputs: [''], outputs: ['0'] })
  await grade(`${leave}def f(x): return 0`, { inputs: [[7]], outputs: [41], fn_name: 'f' })
  await grade(`${leave}time.sleep(1e6)`, { inputs: [''], outputs: ['0'] })
  for (let i = 0; i < 100 && running(mark).length > 0; i++) await sleep(100)
  t.deepEqual(running(mark), [])
})

function running(name: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name
      } catch {
        return false // it has ended
      }
    })
}
