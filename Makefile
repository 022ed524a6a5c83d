# Two commands on a fresh machine: `make demo` and `make test`. Each makes .venv, installs what it needs and runs.
# A stamp file in .venv remembers what is installed, so that a second call starts at once.

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3 python3.12 python3.13 python3.11 python; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
CORE := .venv/.installed-core
ALL := .venv/.installed-all
TRAIN := .venv/.installed-train
CLIP ?=
OUT ?= out/demo

MINUTES ?= 180
DISTILL := $(BIN)/facewire distill

.PHONY: help demo test setup lint bench clip weights named clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo    track the bundled clip, publish it, subscribe to it; writes $(OUT)/ (core dependencies only)'
	@echo 'make test    run the tests'
	@echo 'make setup   install everything that tests, checks and benchmarks need into .venv, run nothing'
	@echo 'make lint    ruff and mypy'
	@echo 'make bench   latency against MediaPipe on a clip: make bench CLIP=talk.mp4 TEACHER=face_landmarker.task'
	@echo 'make weights all of tracker/assets anew, in about five hours on two cores, 13 GB of memory and 19 GB of disk, resumable: make weights DATA=data TEACHER=face_landmarker.task'
	@echo 'make clean   remove .venv, builds and outputs'

demo: $(CORE)
	@$(BIN)/facewire demo --out $(OUT)

test: $(ALL)
	@$(BIN)/python -m pytest

setup: $(ALL)

lint: $(ALL)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# mypy follows the tree as it is installed, which an editable install is not: so look at a built one.
	rm -rf build/lib && $(BIN)/python setup.py -q build
	cd build/lib && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache

bench: clip $(ALL)
	@$(BIN)/facewire bench latency "$(CLIP)" $(if $(TEACHER),--peer mediapipe --teacher "$(TEACHER)")
	@$(BIN)/facewire bench kernels

clip:
	@test -f "$(CLIP)" || { echo 'make bench: name a clip: make bench CLIP=talk.mp4 [TEACHER=face_landmarker.task]' >&2; exit 2; }

named:
	@test -d "$(DATA)/train" && test -f "$(TEACHER)" || { echo 'make weights: name data and teacher: make weights DATA=data TEACHER=face_landmarker.task [MINUTES=180]' >&2; exit 2; }

# Every step goes on where it was cut. The networks are trained through the face model that the second one writes into
# the cache; tracker/assets stays as it is, and whole, until export puts model and networks there together.
weights: named $(TRAIN)
	$(DISTILL) label "$(DATA)/train" --teacher "$(TEACHER)"
	$(DISTILL) model
	$(DISTILL) phantoms "$(DATA)" --teacher "$(TEACHER)"
	$(DISTILL) turn
	test ! -d "$(DATA)/ict" || $(DISTILL) synthesize "$(DATA)" --teacher "$(TEACHER)"
	$(DISTILL) train "$(DATA)" --minutes $(MINUTES)
	$(DISTILL) detector "$(DATA)" --minutes 38
	$(DISTILL) export "$(DATA)" --out tracker/assets --figure bench/results/calibration.png
	$(DISTILL) clip --out tracker/assets/demo.mp4
	$(DISTILL) evaluate

clean:
	rm -rf .venv build out dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(SUPPORTED)' || { echo 'facewire needs Python 3.11, 3.12 or 3.13, and $(or $(PYTHON),the search for one) gave none;' \
		'install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name one: make PYTHON=/path/to/python3.12' >&2; exit 1; }
	@# Debian's python3 comes without the part of venv that brings pip.
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get install -y -qq python3-venv || \
			{ apt-get update -qq && apt-get install -y -qq python3-venv; }; \
		else echo '$(PYTHON) cannot make a virtual environment; install its venv package (apt-get install python3-venv)' >&2; exit 1; fi; }
	@echo 'making .venv with $(PYTHON)'
	@$(PYTHON) -m venv .venv

$(CORE): setup.py pyproject.toml | $(BIN)/python
	@echo 'installing facewire'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# Neither torch nor CuPy is among these: a plain CPU tests everything that the default install runs. NVRTC (90 MB) and
# Triton (1 GB unpacked) are: compilers that need no GPU, so that our kernels are compiled for two that are not here, and
# Triton's run in its interpreter.
$(ALL): setup.py pyproject.toml | $(BIN)/python
	@echo 'installing facewire with its test, bench and dev extras'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,bench,dev]'
	@# MediaPipe, the peer in the benchmarks, opens these libraries on Linux.
	@missing=$$($(BIN)/python -c "$$SYSTEM_LIBRARIES"); test -z "$$missing" || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then echo "installing $$missing"; \
			apt-get install -y -qq $$missing >/dev/null || { apt-get update -qq && apt-get install -y -qq $$missing >/dev/null; }; \
		else echo "MediaPipe, used by the benchmarks, needs system libraries; run: sudo apt-get install $$missing" >&2; exit 1; fi; }
	@touch $@ $(CORE)

# Without a GPU, a CPU build of torch that is there already does: put one into .venv first to save gigabytes.
$(TRAIN): $(ALL)
	@echo 'installing what training needs, torch among it'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train]'
	@touch $@

define SYSTEM_LIBRARIES
import ctypes, sys
packages = {"libEGL.so.1": "libegl1", "libGLESv2.so.2": "libgles2", "libGL.so.1": "libgl1", "libglib-2.0.so.0": "libglib2.0-0"}
missing = []
for library, package in packages.items() if sys.platform == "linux" else ():
    try:
        ctypes.CDLL(library)
    except OSError:
        missing.append(package)
print(*missing)
endef
export SYSTEM_LIBRARIES
