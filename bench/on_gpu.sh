#!/bin/bash
# Everything that a GPU is needed for, within nine minutes: build, tests, sanitizer, benches, one report.
#
#   PYTHON=... TORCH=... bench/on_gpu.sh [REPORT]
#
# PYTHON runs symk and pytest (default .venv/bin/python, else python3) and has NumPy, pybind11 and hypothesis; nothing
# is fetched. TORCH is a Python that has torch with CUDA, the peer of the benches (default PYTHON, if it has it). Each
# part has a time of its own and a line in the report, pass or fail; a part that fails stops none of the others, and
# what was written stays when the time is over. Beside the report stand the logs of the parts, and all in one archive.
#
# DEVICE=cuda-host tries the script itself without a GPU, on what is built: small sizes, no build, no sanitizer.
cd "$(dirname "$0")/.." || exit 1
ROOT=$PWD
PYTHON=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
PYTHON=$("$PYTHON" -c 'import sys; print(sys.executable)') || exit 1
has_module() { "$PYTHON" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$1') is None)"; }
TORCH=${TORCH-$(has_module torch && echo "$PYTHON")}
DEVICE=${DEVICE:-cuda}
SECONDS_LEFT=${SECONDS_LEFT:-530}
REPORT=${1:-bench/out/on_gpu.md}
LOGS=$(dirname "$REPORT")/on_gpu
XDIST=$(has_module xdist && echo yes)
END=$((SECONDS + SECONDS_LEFT))
export ROOT PYTHON TORCH DEVICE LOGS PYTHONPATH=$ROOT PYTHONUNBUFFERED=1
mkdir -p "$LOGS"
: > "$REPORT"

say() { echo "$*" | tee -a "$REPORT"; }

# The option of pytest for so many processes, where it can be had.
workers() { [ -n "$XDIST" ] && echo "-n $1"; }

# part NAME LIMIT COMMAND...: runs it for LIMIT seconds at most, and no longer than there is time.
part() {
  local name=$1 limit=$2 left=$((END - SECONDS)) begin=$SECONDS status
  shift 2
  [ "$limit" -gt "$left" ] && limit=$left
  if [ "$limit" -le 5 ]; then
    say "| $name | not run: the time was over | |"
    return 1
  fi
  timeout -k 10 "$limit" "$@" > "$LOGS/$name.log" 2>&1
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

# The same; a test that failed is tried once more by the sanitizer, which says what its kernels did.
test_part() {
  part "$@" && return
  local name=$1 first
  first=$(sed -nE 's/^(FAILED|ERROR) (tests[^ ]*::.*)/\2/p' "$LOGS/$name.log" 2> /dev/null | sed 's/ - .*//' | head -1)
  [ -n "$first" ] && [ "$DEVICE" = cuda ] && part "why_$name" 40 bash -c 'sanitize memcheck "$1"' - "$first"
}

machine() {
  nvidia-smi
  lscpu | grep -E '^(Model name|CPU\(s\)|Architecture)'
  free -g | head -2
  "$(find_tool nvcc)" --version | tail -2
  c++ --version | head -1
  "$(find_tool cmake)" --version | head -1
  "$PYTHON" -c "import importlib.metadata as installed, sys
print(sys.executable, sys.version)
for name in ('numpy', 'pybind11', 'pytest', 'pytest-xdist', 'hypothesis', 'h5py', 'PyYAML', 'torch', 'triton'):
    try:
        print(name, installed.version(name))
    except installed.PackageNotFoundError:
        print(name, 'is missing')"
}

# A tool of the system, of the CUDA toolkit or beside PYTHON.
find_tool() {
  command -v "$1" && return
  local folder
  for folder in /usr/local/cuda/bin "$(dirname "$PYTHON")"; do
    [ -x "$folder/$1" ] && echo "$folder/$1" && return
  done
  echo "$1"
}

build() {
  local cmake architectures
  cmake=$(find_tool cmake)
  architectures=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | grep -xE '[0-9]+\.[0-9]+')
  # Another compiler than ours may warn of more.
  "$cmake" -S . -B build/on_gpu $(command -v ninja > /dev/null && echo "-G Ninja") -DCMAKE_BUILD_TYPE=Release \
    -DSYMK_PYTHON=ON -DSYMK_CUDA=ON -DSYMK_CUDA_STRICT=OFF -DCMAKE_CUDA_COMPILER="$(find_tool nvcc)" \
    -DSYMK_CUDA_ARCHITECTURES="$(echo "${architectures:-9.0}" | tr -d .)" -DPython_EXECUTABLE="$PYTHON" &&
    "$cmake" --build build/on_gpu --parallel "$(nproc)" --target _core symk_runtime symk_cuda
}

device() {
  "$PYTHON" -c "from symk.compile.native import device_kernel_names as names
print(len(names('$DEVICE')), 'kernels on the device')"
}

# Names come before a test runs, so that one that hangs is known; after a while Python says where it is. A test run that
# is stopped still says what has failed.
run_pytest() {
  exec "$PYTHON" -X faulthandler -c "import signal, sys, pytest
signal.signal(signal.SIGTERM, signal.default_int_handler)
sys.exit(pytest.main(sys.argv[1:]))" -v -rfE --tb=short --maxfail=10 -p no:cacheprovider -p no:benchmark \
    -o faulthandler_timeout=40 "$@"
}
tests() {
  export SYMK_TEST_DEVICE=$DEVICE
  run_pytest -m 'slow or not slow' "$@"    # what is slow on the host is large, and short here
}
models() {
  export SYMK_DEVICE=$DEVICE
  run_pytest "$@"
}

# sanitize TOOL TESTS...: only what kernels do is reported; calls that CUDA refuses are what tests look at.
sanitize() {
  local tool kind=$1
  shift
  tool=$(find_tool compute-sanitizer)
  [ -x "$tool" ] || { echo "compute-sanitizer was not found"; exit 1; }
  export SYMK_TEST_DEVICE=cuda SYMK_DEVICE=cuda
  exec "$tool" --tool "$kind" --report-api-errors no --error-exitcode 1 "$PYTHON" -m pytest -q -x --tb=short \
    -p no:cacheprovider -p no:benchmark "$@"
}
export -f find_tool machine build device run_pytest tests models sanitize

benches() {
  exec "$PYTHON" -m bench.on_gpu --output "$LOGS/table.md" ${TORCH:+--torch "$TORCH"} "$@"
}
export -f benches

on_stand_in() {
  part device 30 bash -c device
  test_part runtime 120 bash -c 'tests tests/cuda/test_replay.py tests/cuda/test_failures.py tests/cuda/test_several.py'
  part benches 200 bash -c "benches --tiny --device $DEVICE --seconds 180 --case-seconds 40"
  test_part registry 60 bash -c "tests $(workers 4) tests/cuda/test_every_op.py -k 'matmul or softmax'"
}

# Without kernels there is nothing to be learned from the rest.
on_gpu() {
  [ -n "$TORCH" ] && (timeout 200 "$TORCH" -m bench.on_gpu --warm-up > "$LOGS/torch.log" 2>&1 &)
  part build 240 bash -c build && part device 30 bash -c device || return
  # What the stand-in for CUDA cannot show: recordings, copies, events and errors as the driver has them.
  test_part runtime 60 bash -c 'tests tests/cuda/test_on_gpu.py tests/cuda/test_device.py tests/cuda/test_replay.py'
  # Kernels for compute capability 9.0 (SYMK_WGMMA), which are off until this passes; the benches have both.
  test_part warp_groups 40 bash -c "tests $(workers 4) tests/cuda/test_warp_groups.py"
  # These share the machine; nothing in them is timed.
  export SYMK_NUM_THREADS=2
  test_part registry 100 bash -c "tests $(workers 6) tests/cuda --deselect tests/cuda/test_on_gpu.py \
    --deselect tests/cuda/test_warp_groups.py" &
  # A sample of each op, and kernels whose threads share memory, around their tiles.
  part memcheck 100 bash -c 'sanitize memcheck tests/cuda -k "$1"' - \
    "(meaning and -0]) or test_masks or take_wide or images_are_convolved or transposing" &
  part racecheck 100 bash -c 'sanitize racecheck tests/cuda/test_boundaries.py tests/cuda/test_resident.py -k "$1"' - \
    "(float32 and (around_a_tile or deep or threads or transposing)) or long_lines or short_and_long or test_masks" &
  test_part layers 100 bash -c "models $(workers 3) tests/layers" &
  test_part training 100 bash -c "models $(workers 3) tests/engine tests/test_optimizers.py" &
  wait
  unset SYMK_NUM_THREADS
  part benches $((END - SECONDS - 20)) bash -c "benches --case-seconds 30 --seconds $((END - SECONDS - 35))"
  part interpreted 20 env SYMK_NVRTC=0 "$PYTHON" -m bench.on_gpu --cases chain_of_six --seconds 15 \
    --output "$LOGS/interpreted.md"
}

say "# symk on a GPU, $(date -u +%Y-%m-%d)"
say ""
say "$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>&1 | head -1); $(uname -m)," \
    "$(nproc) cores; revision $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
say ""
say "| part | result | last line |"
say "|---|---|---|"
part machine 20 bash -c machine
if [ "$DEVICE" = cuda-host ]; then
  on_stand_in
else
  on_gpu
fi
say ""
[ -s "$LOGS/table.md" ] && tee -a "$REPORT" < "$LOGS/table.md"
[ -s "$LOGS/interpreted.md" ] && say "" && say "Elementwise chains by the interpreter (SYMK_NVRTC=0):" &&
  tee -a "$REPORT" < "$LOGS/interpreted.md"
say ""
tar -czf "$LOGS.tar.gz" -C "$(dirname "$REPORT")" on_gpu && say "Logs: $LOGS.tar.gz"
