# Everything from a fresh checkout. Needs only python3 and a C++17 compiler; the rest comes from
# pip into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: demo lint test test-slow test-deploy test-cuda-host test-aarch64 build sanitize fuzz counts bench clean

# Trains, saves, loads, deploys: the whole way of a model, on the digits inside the package.
demo: build
	$(BIN)/symk demo

# All Python against the rules of pyproject.toml; what git ignores is left out.
lint: $(VENV)/.ready
	$(BIN)/ruff check -q .

test: build
	$(BIN)/python -m pytest -q

test-slow: build
	$(BIN)/python -m pytest -q -m slow

# What is installed and built elsewhere: a wheel in an empty environment, projects by a compiler
# alone. DEPLOYED chooses some of it, as the option -k of pytest does.
DEPLOYED ?= wheel or compiler_alone
test-deploy: build
	$(BIN)/python -m pytest -q -m slow tests/deploy -k "$(DEPLOYED)"

# The ops, layers and devices again, by the kernels of CUDA on the host; half an hour.
test-cuda-host: build
	$(BIN)/python -m pytest -q -m 'slow or not slow' tests/cuda
	SYMK_DEVICE=cuda-host $(BIN)/python -m pytest -q tests/layers tests/ops

# The kernels' tests for 64-bit Arm, by Debian's g++-aarch64-linux-gnu and qemu-user-static; ten
# minutes.
ARM := build/aarch64
test-aarch64: $(VENV)/.ready
	$(BIN)/cmake -S . -B $(ARM) -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
	  -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DSYMK_PYTHON=OFF -DSYMK_CUDA=OFF \
	  -DSYMK_CUDA_HOST=OFF -DSYMK_OUTPUT=$(abspath $(ARM)/symk) \
	  "-DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64-static;-L;/usr/aarch64-linux-gnu"
	$(BIN)/cmake --build $(ARM) --parallel $(JOBS) --target native_tests
	$(BIN)/ctest --test-dir $(ARM) --output-on-failure

# Compiles what has changed, into the working tree.
build: $(VENV)/.ready
	@mkdir -p build
	@$(BIN)/cmake -S . -B build -DPython_EXECUTABLE=$(abspath $(BIN)/python) > build/configure.log \
	  || (cat build/configure.log; exit 1)
	@$(BIN)/cmake --build build --parallel $(JOBS)

$(VENV)/.ready: pyproject.toml setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade "setuptools>=64" wheel "pybind11>=2.11" \
	  "numpy>=2.0" cmake ninja
	$(BIN)/python -m pip install -q --no-build-isolation -e ".[test]"
	touch $@

# The runtime's tests under the address and undefined-behaviour sanitizers, in a build of its own.
SANITIZED := build/sanitized
ASAN = $(shell $${CXX:-c++} -print-file-name=libasan.so)
UBSAN = $(shell $${CXX:-c++} -print-file-name=libubsan.so)
sanitize: $(VENV)/.ready
	SYMK_CMAKE_ARGS="-DSYMK_SANITIZE=address,undefined -DSYMK_CUDA=OFF" \
	  $(BIN)/python -m pip install -q --no-build-isolation --no-deps --upgrade --target $(SANITIZED) .
	cd tests && PYTHONPATH=$(abspath $(SANITIZED)) \
	  ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=1000 \
	  LD_PRELOAD="$(ASAN) $(UBSAN)" \
	  $(abspath $(BIN))/pytest -q -x -p no:cacheprovider runtime deploy

# Damaged model files under the same sanitizers, for FUZZ_SECONDS; a finding leaves its input.
FUZZED := build/fuzz
FUZZ_SECONDS ?= 600
FUZZ_SEED ?= $(shell date +%s)
fuzz: build
	@mkdir -p $(FUZZED)
	$(BIN)/cmake -S . -B $(FUZZED) -DSYMK_SANITIZE=address,undefined -DSYMK_PYTHON=OFF \
	  -DSYMK_CUDA=OFF -DSYMK_ISAS= -DSYMK_OUTPUT=$(abspath $(FUZZED)) > $(FUZZED)/configure.log
	$(BIN)/cmake --build $(FUZZED) --target fuzz_model_file --parallel $(JOBS)
	$(BIN)/python tests/fuzz/seeds.py $(FUZZED)/seeds
	cd $(FUZZED) && ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=1000 \
	  SYMK_NUM_THREADS=1 ./tests/native/fuzz_model_file $(FUZZ_SECONDS) $(FUZZ_SEED) seeds/*.symk

# Instructions of the hot kernels against their ceilings; needs valgrind.
counts: build
	@$(BIN)/cmake --build build --parallel $(JOBS) --target instruction_counts
	@$(BIN)/python tests/native/instruction_counts.py build/tests/native/instruction_counts

# Writes bench/RESULTS.md and its pictures. TORCH names a Python that has torch, ONNXRUNTIME one
# that has onnxruntime.
bench: build
	$(BIN)/python -m bench.report $(if $(TORCH),--torch $(TORCH)) \
	  $(if $(ONNXRUNTIME),--onnxruntime $(ONNXRUNTIME))

clean:
	rm -rf build dist *.egg-info symk/*.so
