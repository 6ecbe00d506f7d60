# Two commands do everything on a fresh machine with Python >= 3.11, make and git: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CASE ?=
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-warn-script-location
STAMP := $(VENV)/.installed

.PHONY: demo test lint types contracts system unit coverage fuzz cases faults soak bench bench-day bench-faults bench-probes bench-curves bench-detection pictures clean

demo: $(STAMP) ## start a real training and watch it (CASE=codebook-collapse for a sick one)
	@$(BIN)/bedside demo $(CASE); code=$$?; \
	command -v bedside >/dev/null || echo "(bedside is $(BIN)/bedside here; \`. $(BIN)/activate\` puts it on your path)"; exit $$code

test: $(STAMP) lint types contracts unit ## everything a change must pass

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports

system: $(STAMP) # what the tests need beside Python: a Chromium, an sshd; tests of what cannot be had are skipped and say so
	@need=; $(BIN)/python tests/flow/chromium.py || need="chromium"; \
	$(BIN)/python tests/flow/real_sshd.py || { test -d /run/systemd/system || need="$$need openssh-server openssh-client"; }; \
	test -n "$$need" || exit 0; \
	test "$$(id -u)" = 0 && command -v apt-get >/dev/null || { echo "not here, and not to be had without asking: $$need (see what is skipped)"; exit 0; }; \
	echo "installing for the tests: $$need"; \
	{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $$need; } >/dev/null 2>&1 \
	|| echo "apt-get does not give it: its tests are skipped"

unit: $(STAMP) system # two processes, a file of tests in one of them: much of the suite waits for real processes
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# The tests of the files named in pyproject.toml under [tool.coverage.run], without those that try every byte, every character or random ones:
# they reach nothing that the others do not, and take longest.
COVERED := $(addprefix tests/protocol/test_,$(addsuffix .py,agreement alert_alarm codec commands framing lab_book lifecycle messages runlog runlog_bounds \
	sanitise series)) $(addprefix tests/agent/test_,$(addsuffix .py,hub_desk hub_status)) tests/golden
SWEEPS := any_byte or anywhere or flipped or put_in_cost or random_changes or arbitrary or swells or millions or any_size or no_code_point or costs

coverage: $(STAMP) ## every branch of what reads bytes, of the state machines and of the sanitiser, by their own tests; fails below all of them
	OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest -p no:xdist --quiet -k "not ($(SWEEPS))" $(COVERED)
	$(BIN)/coverage report

fuzz: $(STAMP) ## look for bytes that break a reader of frames or files: SECONDS=60 for each, TARGET=record, KEEP=1 adds to the corpus
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(PIP) --quiet atheris==3.0.0 || true # without it by chance alone; which, is said
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz $(TARGET) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(KEEP),--keep)

bench: $(STAMP) ## what a log call costs, beside a bare append and others
	$(BIN)/python tests/bench/bench_log.py
	$(BIN)/python tests/bench/bench_verdict.py
	$(BIN)/python tests/bench/bench_import.py

cases: $(STAMP) ## every case, healthy and broken, over three seeds: the table of what tells them apart (20 minutes)
	BEDSIDE_CASE_SEEDS=3 $(BIN)/pytest tests/cases/test_separation.py

bench-day: $(STAMP) ## what a day-long run costs the viewer: 10 M points over 200 metrics, opened, read, sought in (minutes)
	$(BIN)/python tests/bench/bench_day.py

faults: $(STAMP) ## every fault of the matrix over and over, as often as the goals speak of (N=1000; 50 minutes) or N thousandths of it: JOBS= at once
	$(BIN)/python tests/faults --tries $(or $(N),1000) $(if $(JOBS),--jobs $(JOBS)) --write tests/faults/RESULTS.md

soak: $(STAMP) ## 200 steps a second with viewers coming and going: is the memory of trainer, hub and viewer flat? MINUTES=30; tests/soak/RESULTS.md
	$(BIN)/python tests/soak --minutes $(or $(MINUTES),30) --write tests/soak/RESULTS.md

bench-faults: $(STAMP) ## what a stopped or killed hub, or a stopped viewer, costs a step (minutes)
	$(BIN)/python tests/bench/bench_faults.py

bench-probes: $(STAMP) ## what all default probes cost a 10 M-parameter training on one core (minutes)
	$(BIN)/python tests/bench/bench_probes.py

bench-curves: $(STAMP) ## what the loss rules say of a folder of labelled training curves: CORPUS=DIR
	$(BIN)/python tests/bench/bench_curves.py

bench-detection: $(STAMP) ## what the rules find and how often they cry wolf, beside others; trains for hours, once: RECORDINGS=DIR CORPUS=DIR WRITE="FILE …"
	@$(BIN)/python -c 'import trainproof' 2>/dev/null || $(PIP) --quiet trainproof==0.22.0 || true # a log checker to compare with; its absence is said
	OMP_NUM_THREADS=1 $(BIN)/python tests/bench/detection $(if $(RECORDINGS),--recordings "$(RECORDINGS)",--recordings build/detection --train) \
	$(if $(CORPUS),--corpus "$(CORPUS)") $(if $(WRITE),--write $(WRITE))

pictures: $(STAMP) ## the screens as SVG, made by the application itself
	$(BIN)/python -m bedside_tui.screenshot --out pictures

# torch first and alone: a range in another package's requirements would pull gigabytes of CUDA.
$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "no $(PYTHON) here: install Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: make PYTHON=python3.12 …"; exit 1; }
	@test -x $(BIN)/python || { echo "making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@$(PIP) --quiet --upgrade pip
	@$(BIN)/python -c 'import torch' 2>/dev/null || { echo "installing torch: once, and the longest part"; $(PIP) torch==2.13.0; }
	@echo "installing bedside and what it needs"
	@$(PIP) --quiet --editable '.[dev]'
	@touch $(STAMP)

clean: ## remove what the commands above made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
