#!/usr/bin/env bash
# Unpacks this bundle, builds the addon against the PyTorch of python3 (or LIBTORCH=DIR), runs the GPU tests, trains the
# quickstart on the CPU and on the GPU, and measures, also against PyTorch. Needs python3 with torch, cmake, ninja or make,
# g++; nvcc for the CUDA kernels; transformers for what is measured against it. No network, no Node.
#
#   bash run.sh [build] [tests] [curves] [figures] [bench]   the parts, all by default; `build` comes before the others
#   WORK=DIR (default ./work) is where it works, RESULTS=DIR (default WORK/results) what is left of it,
#   CURVES='steps=8' settings of the two trainings
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/work}
results=${RESULTS:-$work/results}
mkdir -p "$work/bin" "$results"
parts=" ${*:-build tests curves figures bench} "
wants() { [[ $parts == *" $1 "* ]]; }

# Python reads xz where there is no xz
unxz_to() { python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), open(sys.argv[2], "wb"))' "$1" "$2"; }
untar() { python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$1" "$2"; }

if [ ! -x "$work/bin/node" ]; then
  unxz_to "$here/node.xz" "$work/bin/node"
  chmod +x "$work/bin/node"
fi
if [ ! -d "$work/package/node_modules" ]; then
  for name in sources node_modules; do untar "$here/$name.tar.xz" "$work/package"; done
fi
export PATH=$work/bin:$PATH
LIBTORCH=${LIBTORCH:-$(python3 -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])')}
export LIBTORCH NO_COLOR=1
cd "$work/package"

failed=()
if wants build; then
  node --import=tsx scripts/build-native.ts 2>&1 | tee "$results/build.log"
  [ -e build/Release/magic_grpo.node ] || { echo 'the build failed'; exit 1; }
fi
node --import=tsx src/cli/main.ts doctor | tee "$results/doctor.txt" || true
if wants tests; then
  node node_modules/ava/entrypoints/cli.mjs 'test/gpu/*.test.ts' 2>&1 | tee "$results/tests.txt" || failed+=(tests)
fi
if wants curves; then
  node --import=tsx scripts/gpu-bundle/curves.ts "$results" ${CURVES:-} || failed+=(curves)
fi
if wants figures; then
  node --import=tsx scripts/gpu-bundle/figures.ts "$results" || failed+=(figures)
fi
if wants bench; then
  node --import=tsx bench/main.ts gpu --python "$(command -v python3)" --json "$results/bench.json" | tee "$results/bench.md" ||
    failed+=(bench)
fi
echo "results: $results"
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
