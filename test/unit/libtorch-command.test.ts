import test from 'ava'
import { whatRunsTake } from '../../src/cli/libtorch.ts'
import type { Libtorch } from '../../src/native/libtorch.ts'

test('a fetched libtorch that another one hides is told with how to run on it', (t) => {
  const fetched: Libtorch = { root: '/cache/cuda/torch', version: '2.13.0', foundBy: 'cache', cuda: true }
  t.is(whatRunsTake(fetched, { ...fetched }), 'every later run finds it there')
  t.is(whatRunsTake(fetched, undefined), 'every later run finds it there')
  t.is(whatRunsTake({ ...fetched, foundBy: 'LIBTORCH' }, undefined), 'every later run with LIBTORCH set finds it there')
  const own: Libtorch = { root: '/cache/cpu', version: '2.13.0+cpu', foundBy: 'build', cuda: false }
  t.regex(
    whatRunsTake(fetched, own),
    /\/cache\/cpu, which the addon was built against.* LIBTORCH=\/cache\/cuda\/torch$/,
  )
  t.regex(whatRunsTake(fetched, { ...own, foundBy: 'cache' }), /\/cache\/cpu, found by cache/)
})
