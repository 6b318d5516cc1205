# Everything runs in one .venv that the first target makes; every target can be run again at any time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out
HEADS ?= 100
PRESET ?= fast
JOBS ?= 2
# Test files side by side; tests of one file stay in one process, in order.
SIDE_BY_SIDE := -n $(JOBS) --dist loadfile
SPEED ?= startup threads inversion pti_step miniature wplus_step forward bench_items mesh density_queries encoders training_step
# What is measured alone; the other paths are measured JOBS at a time, in this order.
ALONE := startup threads
measured = $(BIN)/python benchmarks/speed/$(1).py --json $(OUT)/speed.json
YAWS := 0 30 60 120 180 -90 -60 -30
comma := ,
space := $(subst ,, )
BENCH := $(BIN)/toolkit bench --engine processes --workers 2 --threads 1
# Exit code 1 says that cells failed, which the report lists. A crash may end with 1, too, but writes no new report.
or_report = || test $$? -eq 1 -a -f $(1)/report.html

.PHONY: help demo leaderboard reproduce test test-all lint types weights bench clean

help:
	@echo "make demo      install, then turn a photograph and a synthetic face into 3D heads (see $(OUT)/), then compare all methods"
	@echo "make test      install, then run the tests, two files at a time (JOBS=4 for four)"
	@echo "make test-all  the slow tests too"
	@echo "make weights   train every weights file that ships again, one after the other (hours; goes on where it was stopped)"
	@echo "make reproduce the dual encoder's claims, measured (hours); REPRODUCE='--tables 3 4 5 --seeds 3' for its ablations"
	@echo "make bench     measure the speed of every hot path beside the official arithmetic; SPEED='forward mesh' for some,"
	@echo "               JOBS=1 for one after the other"
	@echo "make lint types clean"

$(VENV)/.installed: pyproject.toml setup.py constraints.txt
	@echo "== installing into $(VENV) (about 3 minutes and 6 GB)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is needed: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' -e plugins/spherehead
	@touch $@

demo: $(VENV)/.installed
	@echo "== toolkit demo"
	$(BIN)/toolkit demo --out $(OUT)
	@echo "== toolkit bench: every method on four heads"
	@rm -f $(OUT)/bench/report.html
	@$(BENCH) --methods all --limit 4 --preset fast --out $(OUT)/bench $(call or_report,$(OUT)/bench)
	@echo "== done; look at $(OUT)/bench/report.html in a browser"

leaderboard: $(VENV)/.installed
	@echo "== leaderboard: every method, the dual encoder's halves and the average head, on $(HEADS) heads (resumable; a minute a head on two cores)"
	$(BIN)/toolkit data make heads360 $(OUT)/heads360-wild --subjects $(HEADS) --split test --domain wild \
		--views $(subst $(space),$(comma),$(addprefix yaw_,$(YAWS))) --workers 2
	@rm -f $(OUT)/leaderboard/report.html
	@$(BENCH) --methods all,encoder1,encoder2,mean --data $(OUT)/heads360-wild --protocol all --limit $(HEADS) \
		--preset $(PRESET) --out $(OUT)/leaderboard $(call or_report,$(OUT)/leaderboard)
	$(BIN)/toolkit bench report $(OUT)/leaderboard --leaderboard docs/leaderboard.md

test: $(VENV)/.installed
	@echo "== tests"
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-all: $(VENV)/.installed
	@echo "== tests, the slow ones too"
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m ''

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

# The shipped weights, made again one after the other; a target that was stopped goes on where it was.
RUNS := $(OUT)/training
MADE := $(foreach name,panohead-mini identity-lite psp e4e triplanenet goae dual-encoder,$(RUNS)/$(name)/weights.safetensors)

weights: $(MADE)
	@echo "== made: $(MADE)"

# the generator: coarse planes, fine ones with super-resolution, an adversarial finish, then the mapping alone
$(RUNS)/panohead-mini-coarse/weights.safetensors: private STAGE = -coarse
$(RUNS)/panohead-mini-fine/weights.safetensors: private START = panohead-mini-coarse
$(RUNS)/panohead-mini-fine/weights.safetensors: $(RUNS)/panohead-mini-coarse/weights.safetensors
$(RUNS)/panohead-mini-finish/weights.safetensors: private STAGE = -finish
$(RUNS)/panohead-mini-finish/weights.safetensors: private START = panohead-mini-fine
$(RUNS)/panohead-mini-finish/weights.safetensors: $(RUNS)/panohead-mini-fine/weights.safetensors
$(RUNS)/panohead-mini/weights.safetensors: private STAGE = -mapping
$(RUNS)/panohead-mini/weights.safetensors: private START = panohead-mini-finish
$(RUNS)/panohead-mini/weights.safetensors: $(RUNS)/panohead-mini-finish/weights.safetensors
$(RUNS)/panohead-mini%weights.safetensors: | $(VENV)/.installed
	$(BIN)/toolkit train panohead-mini --config training/panohead-mini$(STAGE) \
		$(if $(START),--set start=$(RUNS)/$(START)/weights.safetensors) --resume --threads 1 --out $(@D)

# the encoders learn with the generator that ships, not with the one just made
$(foreach name,e4e triplanenet dual-encoder,$(RUNS)/$(name)/weights.safetensors): private START = psp
$(foreach name,e4e triplanenet dual-encoder,$(RUNS)/$(name)/weights.safetensors): $(RUNS)/psp/weights.safetensors

$(RUNS)/%/weights.safetensors: | $(VENV)/.installed
	$(BIN)/toolkit train $* $(if $(START),--set start=$(RUNS)/$(START)/weights.safetensors) --resume --threads 1 --out $(RUNS)/$*

reproduce: $(VENV)/.installed
	$(BIN)/python experiments/dual_encoder_reproduction.py --out $(OUT)/reproduction $(REPRODUCE)

bench: $(VENV)/.installed
	@mkdir -p $(OUT) && rm -f $(OUT)/speed.json
	@for path in $(filter $(ALONE),$(SPEED)); do $(call measured,$$path) || exit 1; done
	@printf '%s\n' $(filter-out $(ALONE),$(SPEED)) | xargs -r -P $(JOBS) -I{} sh -c '$(call measured,{})'
	@rm -f $(OUT)/speed.lock
	@echo "== done; $(OUT)/speed.json has every number, with the machine's"

clean:
	rm -rf $(VENV) $(OUT) build dist ./*.egg-info
