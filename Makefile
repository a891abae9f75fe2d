# `make drill` and `make test` are all a newcomer needs; each installs what it wants.
SHELL := /bin/bash
PYTHON ?= python3
SCENARIO ?= region-outage
JOBS ?= 1
SEEDS ?= 200000
KILLS ?= 500
ROUNDS ?= 1
YEARS ?= 20
OUTAGES ?= 2000
DEV := .venv/dev/bin
SAM := .venv/sam/bin/sam
export SAM_CLI_TELEMETRY := 0
export AWS_EC2_METADATA_DISABLED := true

.PHONY: setup build lint test mutants drill soak judgement bench mutation lock clean help

help:            ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

setup: .venv/dev/.done .venv/emulator/.done .venv/sam/.done   ## three virtual environments (their pins conflict)

.venv/uv/.done: requirements/bootstrap.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv .venv/uv
	.venv/uv/bin/pip install --quiet --disable-pip-version-check -r requirements/bootstrap.txt
	touch $@

.venv/%/.done: requirements/%.txt .venv/uv/.done
	$(PYTHON) -m venv .venv/$*
	.venv/uv/bin/uv pip sync --quiet --require-hashes --index-strategy unsafe-best-match --python .venv/$*/bin/python $<
	touch $@

build: .venv/sam/.done .venv/dev/.done    ## validate the plans, then `sam build` all templates
	PATH="$(CURDIR)/.venv/dev/bin:$$PATH" $(SAM) build
	PATH="$(CURDIR)/.venv/dev/bin:$$PATH" $(SAM) build --config-env signals
	PATH="$(CURDIR)/.venv/dev/bin:$$PATH" $(SAM) build --config-env vantage

lint: .venv/dev/.done .venv/sam/.done     ## ruff, mypy strict, cfn-lint with the serverless rules, sam validate
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/mypy
	$(DEV)/mypy functions/health_probe/app.py
	$(DEV)/mypy functions/failover/app.py
	$(DEV)/mypy functions/failback/app.py
	$(DEV)/mypy functions/linode_dns/app.py
	$(DEV)/mypy functions/operator/app.py
	$(DEV)/mypy functions/readiness/app.py
	$(DEV)/mypy functions/vantage_point/app.py
	$(DEV)/cfn-lint --append-rules cfn_lint_serverless.rules -t template.yaml signals.yaml vantage.yaml dataplane.yaml
	$(SAM) validate --lint --region us-west-2 -t template.yaml
	$(SAM) validate --lint --region us-west-2 -t signals.yaml
	$(SAM) validate --lint --region us-west-2 -t vantage.yaml
	$(SAM) validate --lint --region us-west-2 -t dataplane.yaml

test: setup      ## every test, 10,000 simulated worlds and two rehearsals among them (under 10 minutes on 2 cores)
	$(DEV)/pytest --seeds 10000

mutants: .venv/dev/.done    ## seed every fault of proof/faults into a copy: who notices, and when? -> docs/promises.md
	$(DEV)/python -m proof.mutants

judgement: setup ## an hour: YEARS=20 of noise, OUTAGES=2000, by one and by two vantage points; writes docs/judgement.md
	PYTHONPATH=.:layers/common $(DEV)/python -m tests.year --years $(YEARS) --outages $(OUTAGES) --write

drill: setup     ## rehearse outages on the embedded AWS: SCENARIO=<name>|all|list JOBS=1
	$(DEV)/python -m drill $(SCENARIO) --jobs $(JOBS)

soak: setup      ## hours: SEEDS=200000 worlds, double crashes, 90 days of ticks, years of noise, KILLS=500 real kills, ROUNDS=1 of all scenarios
	$(DEV)/python -m tests.soak --seeds $(SEEDS) --kills $(KILLS) --rounds $(ROUNDS) --jobs $(JOBS)

bench: setup     ## the usual tutorial's function beside ours in a black hole -> docs/baseline.md
	$(DEV)/python -m bench

mutation: .venv/dev/.done   ## which small mistakes in domain/ would no test notice? survivors: build/mutation/survivors.txt
	nice -n 19 $(DEV)/python -m proof.mutation

lock: .venv/uv/.done    ## resolve every *.in again
	cd layers/common && ../../.venv/uv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --index-strategy unsafe-best-match requirements.in -o requirements.txt
	cd requirements && for f in dev emulator sam; do ../.venv/uv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --index-strategy unsafe-best-match $$f.in -o $$f.txt; done

clean:           ## forget everything built (the virtual environments too)
	rm -rf .venv build .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis
