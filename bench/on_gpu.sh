#!/bin/bash
# Everything that a GPU is needed for, within nine minutes: build, tests, sanitizer, benches, one report.
#
#   PYTHON=... TORCH=... bench/on_gpu.sh [REPORT]
#
# PYTHON runs symk and pytest (default .venv/bin/python, else python3); TORCH is a Python that has torch with CUDA, the
# peer of the benches, and may be missing. Each part has a time of its own and a line in the report, pass or fail; a part
# that fails stops none of the others, and what was written stays when the time is over.
#
# DEVICE=cuda-host tries the script itself without a GPU, on what is built: small sizes, no build, no sanitizer.
cd "$(dirname "$0")/.." || exit 1
ROOT=$PWD
PYTHON=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
DEVICE=${DEVICE:-cuda}
SECONDS_LEFT=${SECONDS_LEFT:-530}
REPORT=${1:-bench/out/on_gpu.md}
LOGS=$(dirname "$REPORT")/on_gpu
END=$((SECONDS + SECONDS_LEFT))
export PYTHONPATH=$ROOT PYTHONUNBUFFERED=1
mkdir -p "$LOGS"
: > "$REPORT"

say() { echo "$*" | tee -a "$REPORT"; }

# part NAME LIMIT COMMAND...: runs it for LIMIT seconds at most, and no longer than there is time.
part() {
  local name=$1 limit=$2 left=$((END - SECONDS)) begin=$SECONDS status
  shift 2
  [ "$limit" -gt "$left" ] && limit=$left
  if [ "$limit" -le 5 ]; then
    say "| $name | not run: the time was over | |"
    return 1
  fi
  timeout -k 5 "$limit" "$@" > "$LOGS/$name.log" 2>&1
  status=$?
  local last
  last=$(grep -v '^ *$' "$LOGS/$name.log" | tail -1 | tr '|' '/' | cut -c1-160)
  case $status in
    0) say "| $name | passed in $((SECONDS - begin)) s | $last |" ;;
    124 | 137) say "| $name | stopped after $limit s | $last |" ;;
    *) say "| $name | failed ($status) | $last |" ;;
  esac
  return $status
}

build() {
  local nvcc architectures
  nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
  "$nvcc" --version
  architectures=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d '. ')
  cmake -S . -B build/on_gpu -DCMAKE_BUILD_TYPE=Release -DSYMK_PYTHON=ON -DSYMK_CUDA=ON \
    -DCMAKE_CUDA_COMPILER="$nvcc" -DSYMK_CUDA_ARCHITECTURES="${architectures:-90}" \
    -DPython_EXECUTABLE="$(command -v "$PYTHON")" &&
    cmake --build build/on_gpu --parallel "$(nproc)" --target _core symk_runtime symk_cuda
}

device() {
  "$PYTHON" -c "from symk.compile.native import device_kernel_names as names
print(len(names('$DEVICE')), 'kernels on the device')"
}

tests() {
  SYMK_TEST_DEVICE=$DEVICE "$PYTHON" -m pytest -q -p no:cacheprovider "$@"
}

sanitize() {
  local tool
  tool=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
  [ -x "$tool" ] || { echo "compute-sanitizer was not found"; return 1; }
  SYMK_TEST_DEVICE=cuda "$tool" --tool "$1" --error-exitcode 1 "$PYTHON" -m pytest -q -x \
    -p no:cacheprovider tests/cuda -k "$2"
}
export -f build device tests sanitize
export PYTHON DEVICE

say "# symk on a GPU, $(date -u +%Y-%m-%d)"
say ""
say "$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>&1 | head -1); $(uname -m)," \
    "$(nproc) cores; revision $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
say ""
say "| part | result | last line |"
say "|---|---|---|"
if [ "$DEVICE" = cuda-host ]; then
  part device 30 bash -c device
  part runtime 120 bash -c 'tests tests/cuda/test_replay.py tests/cuda/test_failures.py tests/cuda/test_several.py'
  part benches 200 "$PYTHON" -m bench.on_gpu --tiny --device "$DEVICE" --seconds 180 --case-seconds 40 \
    --output "$LOGS/table.md" ${TORCH:+--torch "$TORCH"}
  part registry 60 bash -c 'tests tests/cuda/test_every_op.py -k "matmul or softmax"'
else
  part build 180 bash -c build
  part device 30 bash -c device
  # What the stand-in for CUDA cannot show: recordings, copies, events and errors as the driver has them.
  part runtime 40 bash -c 'tests tests/cuda/test_on_gpu.py tests/cuda/test_device.py tests/cuda/test_replay.py'
  # Kernels for compute capability 9.0 (SYMK_WGMMA), which are off until this passes; the benches have both.
  part warp_groups 40 bash -c 'tests tests/cuda/test_warp_groups.py'
  # The benches before the long tests: a table is worth more than the last of the samples.
  part benches 170 "$PYTHON" -m bench.on_gpu --seconds 155 --output "$LOGS/table.md" ${TORCH:+--torch "$TORCH"}
  part interpreted 20 env SYMK_NVRTC=0 "$PYTHON" -m bench.on_gpu --cases chain_of_six --seconds 15 \
    --output "$LOGS/interpreted.md"
  part registry 90 bash -c 'tests tests/cuda'
  part memcheck 45 bash -c 'sanitize memcheck "transpose or sum or softmax or matmul-0 or conv-0 or gather or lstm_sequence or test_masks or take_wide"'
  part racecheck 45 bash -c 'sanitize racecheck "transpose or sum-0 or softmax-0 or matmul-0 or cumsum or scatter_add or test_masks"'
  part layers 90 env SYMK_DEVICE=cuda "$PYTHON" -m pytest -q -p no:cacheprovider tests/layers
  part training 60 env SYMK_DEVICE=cuda "$PYTHON" -m pytest -q -p no:cacheprovider tests/engine tests/test_optimizers.py
fi
say ""
[ -s "$LOGS/table.md" ] && tee -a "$REPORT" < "$LOGS/table.md"
[ -s "$LOGS/interpreted.md" ] && say "" && say "Elementwise chains by the interpreter (SYMK_NVRTC=0):" &&
  tee -a "$REPORT" < "$LOGS/interpreted.md"
say ""
say "Logs: $LOGS"
