import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { compiler } from '../reference/cuda-on-cpu/build.ts'
import { temporaryFolder } from './tiny.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

const GIB = 2 ** 30

/** What a group of either version holds: a limit, what is used, and of that files that can go. */
const second = (folder: string, limit: number | 'max', used: number, files = 0) => ({
  [`${folder}/memory.max`]: `${limit}\n`,
  [`${folder}/memory.current`]: `${used}\n`,
  [`${folder}/memory.stat`]: `anon ${used - files}\nfile ${files}\ninactive_file ${files - 1}\nactive_file 1\n`,
})
const first = (folder: string, limit: number | bigint, used: number, files = 0) => ({
  [`${folder}/memory.limit_in_bytes`]: `${limit}\n`,
  [`${folder}/memory.usage_in_bytes`]: `${used}\n`,
  [`${folder}/memory.stat`]: `inactive_file 0\nactive_file 0\ntotal_inactive_file ${files}\ntotal_active_file 0\n`,
})
const UNLIMITED = 9223372036854771712n

const cgroup = 'sys/fs/cgroup'
const mounted = {
  second: (seen = '/', at = `/${cgroup}`) => `30 23 0:26 ${seen} ${at} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n`,
  first: (seen = '/') =>
    `40 32 0:35 ${seen} /${cgroup}/cpu rw - cgroup cgroup rw,cpu,cpuacct\n` +
    `41 32 0:36 ${seen} /${cgroup}/memory rw,nosuid shared:9 - cgroup cgroup rw,memory\n`,
}

/** The files that a process finds, and what is left to it. */
const cases: Record<string, { groups: string; mounts: string; files: Record<string, string>; left: number | 'none' }> =
  {
    'second version, the own group': {
      groups: '0::/user/run\n',
      mounts: mounted.second(),
      files: {
        ...second(`${cgroup}/user`, 'max', 6 * GIB),
        ...second(`${cgroup}/user/run`, 8 * GIB, 5 * GIB, 2 * GIB),
      },
      left: 5 * GIB,
    },
    'second version, a group above leaves less': {
      groups: '0::/user/run/job\n',
      mounts: mounted.second(),
      files: {
        ...second(`${cgroup}/user`, 4 * GIB, 3 * GIB),
        ...second(`${cgroup}/user/run`, 'max', 2 * GIB),
        ...second(`${cgroup}/user/run/job`, 8 * GIB, 2 * GIB),
      },
      left: GIB,
    },
    'second version, a container that sees its own group as the topmost': {
      groups: '0::/\n',
      mounts: mounted.second(),
      files: second(cgroup, 2 * GIB, GIB),
      left: GIB,
    },
    'second version, a container that is shown a part': {
      groups: '0::/docker/abc/job\n',
      mounts: mounted.second('/docker/abc'),
      files: { ...second(cgroup, 6 * GIB, 3 * GIB), ...second(`${cgroup}/job`, 4 * GIB, 2 * GIB) },
      left: 2 * GIB,
    },
    'second version, a group that is not shown': {
      groups: '0::/../other\n',
      mounts: mounted.second(),
      files: { ...second(cgroup, 3 * GIB, GIB), ...second('sys/fs/other', GIB, GIB) },
      left: 2 * GIB,
    },
    'first version, the own group': {
      groups: '5:cpuacct,cpu:/else\n4:memory:/user/run\n1:name=systemd:/init\n',
      mounts: mounted.first(),
      files: {
        ...first(`${cgroup}/memory`, UNLIMITED, 20 * GIB),
        ...first(`${cgroup}/memory/user`, UNLIMITED, 20 * GIB),
        ...first(`${cgroup}/memory/user/run`, 8 * GIB, 5 * GIB, GIB),
        ...first(`${cgroup}/cpu/else`, GIB, GIB),
      },
      left: 4 * GIB,
    },
    'first version, a group above leaves less': {
      groups: '4:memory:/user/run\n',
      mounts: mounted.first(),
      files: {
        ...first(`${cgroup}/memory/user`, 6 * GIB, 5 * GIB),
        ...first(`${cgroup}/memory/user/run`, 8 * GIB, GIB),
      },
      left: GIB,
    },
    'both versions, memory in the first': {
      groups: '4:memory:/run\n0::/\n',
      mounts: mounted.first() + mounted.second('/', `/${cgroup}/unified`),
      files: { ...first(`${cgroup}/memory/run`, 4 * GIB, 3 * GIB), [`${cgroup}/unified/cgroup.procs`]: '1\n' },
      left: GIB,
    },
    'more is used than the limit': {
      groups: '0::/run\n',
      mounts: mounted.second(),
      files: second(`${cgroup}/run`, GIB, 2 * GIB),
      left: 0,
    },
    'no limit': {
      groups: '4:memory:/run\n0::/run\n',
      mounts: mounted.first() + mounted.second('/', `/${cgroup}/unified`),
      files: { ...first(`${cgroup}/memory/run`, UNLIMITED, GIB), ...second(`${cgroup}/unified/run`, 'max', GIB) },
      left: 'none',
    },
    'no control groups': { groups: '', mounts: '', files: {}, left: 'none' },
  }

test('what the control groups leave of memory', async (t) => {
  if (!compiler) {
    t.log('not tested: no C++ compiler here')
    return t.pass()
  }
  const folder = temporaryFolder(t)
  const check = join(folder, 'check')
  const sources = ['native/runtime/control_group.cc', 'test/reference/control-group/check.cc']
  await run(compiler, ['-std=c++20', '-Wall', '-Wextra', '-Werror', '-Inative', ...sources, '-o', check], { cwd: root })
  for (const [index, [name, { groups, mounts, files, left }]] of Object.entries(cases).entries()) {
    const top = join(folder, `${index}`)
    const all = { ...files, 'proc/self/cgroup': groups, 'proc/self/mountinfo': mounts }
    for (const [path, text] of Object.entries(all)) {
      mkdirSync(dirname(join(top, path)), { recursive: true })
      writeFileSync(join(top, path), text)
    }
    t.is((await run(check, [top])).stdout.trim(), `${left}`, name)
  }
})
