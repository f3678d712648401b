#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { failure } from './failure.ts'
import { positive, problemOptions, rate, samplingOptions, VERIFIER_HELP } from './model-options.ts'

const exitCodes = `
Exit codes: 0 done, 1 failed, 2 wrong usage or config, 130 interrupted (a checkpoint of the last whole step is saved).`

/** They run a model: what they lack for that is said before they begin. */
const NATIVE = new Set(['quickstart', 'train', 'study', 'sft', 'generate', 'eval', 'filter'])

/** Everything but the definitions is loaded when a command runs, so that --help answers at once. */
function program(): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const root = new Command('magic-grpo')
    .description('Reinforcement learning of reasoning models: the MAGIC recipe on Hugging Face checkpoints.')
    .version(version)
    .option('--verbose', 'show the stack of an error (as DEBUG=1 does)')
    .addHelpText('after', exitCodes)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .hook('preAction', async (_, command) => {
      const listing = command.opts().dryRun || (command.name() === 'study' && command.args.length === 0)
      if (NATIVE.has(command.name()) && !listing) (await import('../native/load.ts')).needNative()
    })

  root
    .command('quickstart')
    .description('make a small model and train it by examples/quickstart.yaml, in minutes on two CPU cores')
    .argument('[overrides...]', 'settings of the training, as steps=8')
    .action(async (overrides) => (await import('./quickstart.ts')).quickstart(overrides))

  root
    .command('train')
    .description('train a model from a config file')
    .requiredOption('-c, --config <file>', 'YAML file with the run')
    .option('--resume', 'go on from the newest checkpoint of the run folder')
    .option('--dry-run', 'print the resolved config, with where each value came from, and stop')
    .option('--profile [file]', 'write a Chrome trace of the second step, by default to profile.json in the run folder')
    .argument('[overrides...]', 'settings on top of the file, as steps=8 or entropy.target=0.3')
    .action(async (overrides, options) => (await import('./train.ts')).train({ ...options, overrides }))

  root
    .command('study')
    .description(
      'run a study of the paper: variants of one run, compared in a picture and a table; without a name, list them',
    )
    .argument('[name]', 'one of them, as mask')
    .argument('[overrides...]', 'settings of every variant, as steps=20')
    .option('-c, --config <file>', 'YAML file with the run that the variants change')
    .action(async (name, overrides, options) => (await import('./study.ts')).study(name, { ...options, overrides }))

  root
    .command('presets')
    .description('the published recipes that a config can start from: all of them, or one as YAML')
    .argument('[name]', 'one of them, as or1-7b-paper')
    .action(async (name) => {
      process.stdout.write((await import('./presets.ts')).showPresets(name))
    })

  root
    .command('sft')
    .description('supervised fine-tuning on worked examples')
    .option('-c, --config <file>', 'YAML file with the settings')
    .option('--dry-run', 'print the resolved config, with where each value came from, and stop')
    .argument('[overrides...]', 'settings, as model=DIR data.train=rows.jsonl output=DIR steps=200')
    .action(async (overrides, options) => (await import('./sft.ts')).sft({ ...options, overrides }))

  samplingOptions(root.command('generate'), 256)
    .description('answer prompts with a model')
    .argument('<prompt...>', 'one prompt each; - reads one from standard input')
    .option('-n, --samples <count>', 'responses a prompt', positive, 1)
    .option('--system <text>', 'system message')
    .option('--raw', 'give the prompt as it is, without the chat template')
    .option('--json', 'one JSON object a response, with log-probs and entropy')
    .action(async (prompts, options) => (await import('./generate.ts')).generate({ ...options, prompts }))

  problemOptions(root.command('eval'), 1024)
    .description('avg@k, pass@k and maj@k of a model on problems with known answers')
    .option('-k, --samples <count>', 'responses a problem', positive, 8)
    .option('--json', 'print the result as JSON')
    .option('--out <file>', 'write the result as JSON')
    .option('--answers <file>', 'write every answer and verdict as JSON lines')
    .action(async (data, options) => (await import('./eval.ts')).evaluateModel({ ...options, data }))

  problemOptions(root.command('filter'), 1024)
    .description('sample each problem N times and keep those of a middling pass rate; an interrupted one goes on')
    .requiredOption('-o, --out <file>', 'the rows that are kept, .jsonl; the counts of all lie beside it')
    .option('-n, --samples <count>', 'responses a problem', positive, 16)
    .option('--min-rate <share>', 'least pass rate; default all that are solved at least once', rate)
    .option('--max-rate <share>', 'greatest pass rate; default all that are not solved every time', rate)
    .action(async (data, options) => (await import('./filter.ts')).filter({ ...options, data }))

  root
    .command('verify')
    .description('score the responses of a file')
    .argument('<file>', 'rows { response, ground_truth, prompt?, data_source?, precision? }, .jsonl or .parquet')
    .requiredOption('--verifier <spec>', VERIFIER_HELP)
    .addOption(
      new Option(
        '--extraction <where>',
        "where 'math' looks for the answer; default boxed, or what the config says",
      ).choices(['boxed', 'any']),
    )
    .option('--out <file>', 'write each row with its reward and verdict as JSON lines')
    .option(
      '--explain <line>',
      'say of one row what was extracted, how it was read and why it is equal or not',
      positive,
    )
    .action(async (file, options) => (await import('./verify.ts')).verifyFile({ ...options, file }))

  root
    .command('libtorch')
    .description('the libtorch that the native core runs on')
    .command('install')
    .description(`find libtorch, or fetch it into the cache folder; for CUDA where this machine has an NVIDIA driver`)
    .addOption(new Option('--cpu', 'the CPU build, 190 MB').conflicts('cuda'))
    .option('--cuda', 'the CUDA build, 3 GB')
    .action(async (options) => (await import('./libtorch.ts')).installLibtorch(options))

  root
    .command('doctor')
    .description('what this machine has, and what to do about each thing missing')
    .action(async () => {
      const { ok, text } = await (await import('./doctor.ts')).doctor()
      process.stdout.write(`${text.trimEnd()}\n`)
      process.exitCode = ok ? 0 : 1
    })
  return root
}

// `magic-grpo generate ... | head`: the reader has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

try {
  await program().parseAsync()
} catch (error) {
  const { message, code } = failure(error, process.argv.includes('--verbose') || Boolean(process.env.DEBUG))
  if (message !== '') process.stderr.write(`${message}\n`)
  process.exitCode = code
}
