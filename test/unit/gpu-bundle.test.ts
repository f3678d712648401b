import test from 'ava'
import { packagesOf } from '../../scripts/gpu-bundle/packages.ts'

const lock = {
  packages: {
    '': { dependencies: { a: '1', b: '1' } },
    'node_modules/a': { dependencies: { shared: '1' }, optionalDependencies: { 'bin-linux': '1', 'bin-mars': '1' } },
    'node_modules/a/node_modules/shared': { dependencies: { deep: '1' } },
    'node_modules/b': { dependencies: { shared: '2' } },
    'node_modules/shared': {},
    'node_modules/deep': { dependencies: { a: '1' } },
    'node_modules/bin-linux': { os: [process.platform], cpu: [process.arch] },
    'node_modules/bin-mars': { os: ['mars'] },
    'node_modules/tool': {},
    'node_modules/unused': {},
  },
}

test('the dependencies of the project and of a tool, each as Node finds it, for this platform', (t) => {
  t.deepEqual(
    packagesOf(lock, ['tool']),
    ['a', 'b', 'bin-linux', 'deep', 'shared', 'tool'].map((name) => `node_modules/${name}`),
  )
})

test('a package that the lock file lacks is named', (t) => {
  t.throws(() => packagesOf(lock, ['gone']), { message: /no gone for the project; run npm install/ })
})
