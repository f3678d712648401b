// What npm runs after an install: in a clone the whole build, in the published package, which has no sources, what
// they were compiled to.
import { existsSync } from 'node:fs'

if (existsSync(new URL('build.ts', import.meta.url))) {
  const { register } = await import('tsx/esm/api')
  register()
  await import('./build.ts')
} else {
  await import('../dist/install/package.js')
}
